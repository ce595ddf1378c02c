"""Conditions as the Kubernetes API conventions define them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.domain.causes import Cause
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import Phase, PhaseFacts
from tidegate.domain.reasons import Reason
from tidegate.domain.start_stage import Stage
from tidegate.domain.timestamps import from_timestamp, to_timestamp

READY = "Ready"
SCHEDULED = "Scheduled"
MODEL_LOADED = "ModelLoaded"
QUEUE_LIMITED = "QueueLimited"
SLO_MET = "SLOMet"

INVALID_SPEC = Reason.INVALID_SPEC  # the operator cannot obey the spec
NAME_CONFLICT = Reason.NAME_CONFLICT  # a foreign object has the name of one of ours
LEFT_OVER = Reason.LEFT_OVER  # an object of a deleted InferenceService of this name is still there
REFUSED = Reason.REFUSED  # the API server refuses one of our objects: a policy, a webhook, a quota
# Causes that end as soon as they are looked at again.
BLOCKS = frozenset({INVALID_SPEC, NAME_CONFLICT, LEFT_OVER, REFUSED})
# Reasons of Ready that describe a state; every other one is a cause.
STATES = frozenset({Reason.IDLE, Reason.STARTING, Reason.STOPPING, Reason.SUSPENDED, Reason.READY})
# Causes that say nothing about the next start: the worker ran, and its place was taken away.
_LONGEST = 4000  # characters of a message; the schema's limit is 4096
_PASSING = frozenset({Reason.NODE_LOST, Reason.PREEMPTED, Reason.DISRUPTED})


@dataclass(frozen=True, slots=True)
class Condition:
    """One observation; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str


def conditions_of(
    phase: Phase, facts: PhaseFacts, limit: QueueLimit, others: Iterable[Condition] = ()
) -> tuple[Condition, ...]:
    """All conditions of a service; ``others``: those that are decided by other evidence than its pods."""
    queue = Condition(
        QUEUE_LIMITED, "True", limit.source, f"at most {limit.limit} requests wait or run at once"
    )
    return (_ready(phase, facts), *worker_conditions(facts), queue, *others)


def worker_conditions(facts: PhaseFacts) -> tuple[Condition, ...]:
    """Those that depend on pods alone, and so hold whatever is wrong with the spec."""
    return _scheduled(facts), _model_loaded(facts)


def blocked_condition(cause: Cause) -> Condition:
    """Ready of a service for which the operator does nothing."""
    return Condition(READY, "False", cause.reason, cause.message)


def _ready(phase: Phase, facts: PhaseFacts) -> Condition:
    """Ready: a request sent now is answered, at once or after a cold start."""
    match phase:
        case Phase.IDLE:
            return Condition(READY, "True", Reason.IDLE, "no worker runs; the next request wakes one")
        case Phase.RUNNING:
            return _running(facts)
        case Phase.STOPPING if not facts.suspended:
            text = _joined(facts.draining.sentence or "workers finish", "the next request wakes one")
            return Condition(READY, "True", Reason.STOPPING, text)
        case Phase.SUSPENDED | Phase.STOPPING:
            text = _joined("suspend is true: requests are answered with 503", facts.draining.sentence)
            return Condition(READY, "False", Reason.SUSPENDED, text)
        case _:
            return _not_ready(facts)


def _running(facts: PhaseFacts) -> Condition:
    """Where a worker serves and another cannot, the reason is why it cannot."""
    cause, count = facts.cause, f"{facts.ready} of {facts.wanted} workers ready"
    trouble = f"{cause.reason}: {cause.message}" if cause else ""
    text = _joined(count, trouble, facts.draining.sentence)
    return Condition(READY, "True", cause.reason if cause else Reason.READY, text)


def _not_ready(facts: PhaseFacts) -> Condition:
    cause = facts.cause or (facts.remembered if facts.wanted == 0 else None)
    if cause is None:
        text = "a worker starts; requests are held until it is ready"
        return Condition(READY, "False", Reason.STARTING, _joined(text, facts.draining.sentence))
    return Condition(READY, "False", cause.reason, _joined(cause.message, facts.draining.sentence))


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _scheduled(facts: PhaseFacts) -> Condition:
    if facts.wanted == 0:
        return Condition(SCHEDULED, "Unknown", Reason.NO_WORKERS, "no worker is wanted")
    if facts.unscheduled_cause:
        return Condition(SCHEDULED, "False", facts.unscheduled_cause.reason, facts.unscheduled_cause.message)
    if facts.unscheduled or not facts.remaining:
        return Condition(SCHEDULED, "False", Reason.PENDING, Stage.PENDING.said(here=facts.here))
    has = "its cores and memory" if facts.here else "a node"
    return Condition(SCHEDULED, "True", Reason.SCHEDULED, f"every worker has {has}")


def _model_loaded(facts: PhaseFacts) -> Condition:
    if facts.ready:
        return Condition(MODEL_LOADED, "True", Reason.LOADED, "a worker has loaded the model")
    cause = facts.cause or facts.remembered
    if cause and cause.failure:
        return Condition(MODEL_LOADED, "False", cause.reason, cause.message)
    if facts.wanted == 0:
        return Condition(MODEL_LOADED, "Unknown", Reason.NO_WORKERS, "no worker is wanted")
    stage = facts.stage or Stage.PENDING
    return Condition(MODEL_LOADED, "False", stage.reason, stage.said(here=facts.here))


def written(
    conditions: Iterable[Condition], previous: Iterable[Mapping[str, Any]], generation: int, now: float
) -> list[dict[str, Any]]:
    """The conditions as the API has them; lastTransitionTime moves only where the status changed."""
    before = {str(each.get("type")): each for each in previous}
    return [_written(condition, before.get(condition.type, {}), generation, now) for condition in conditions]


def _written(condition: Condition, before: Mapping[str, Any], generation: int, now: float) -> dict[str, Any]:
    unchanged = before.get("status") == condition.status and before.get("lastTransitionTime")
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": str(condition.reason),
        "message": condition.message[:_LONGEST],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if unchanged else to_timestamp(now),
    }


def remembered_cause(previous: Iterable[Mapping[str, Any]], generation: int) -> Cause | None:
    """The cause of the last failed start, as an earlier status has it; None once the spec has changed."""
    ready = condition_in(previous, READY)
    reason = str(ready.get("reason", ""))
    if ready.get("status") != "False" or ready.get("observedGeneration") != generation:
        return None
    if not reason or reason in STATES | BLOCKS:
        return None
    return rememberable(Cause(reason, str(ready.get("message", ""))))


def rememberable(cause: Cause | None) -> Cause | None:
    """The cause, where it tells what the next start would meet."""
    return None if cause is None or cause.reason in _PASSING else cause


def condition_in(conditions: Iterable[Mapping[str, Any]], kind: str) -> Mapping[str, Any]:
    """The condition of that type as the API has it; empty where there is none."""
    return next((each for each in conditions if each.get("type") == kind), {})


def settled_since(previous: Iterable[Mapping[str, Any]]) -> float:
    """Unix time up to which what has ended is history, as an earlier status tells; 0 without one.

    Since Ready is True all is well. What made it False ended within the minute before.
    """
    ready = condition_in(previous, READY)
    moved = from_timestamp(ready.get("lastTransitionTime")) or 0.0
    return moved if ready.get("status") == "True" else max(0.0, moved - 60.0)
