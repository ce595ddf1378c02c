"""Conditions as the Kubernetes API conventions define them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.domain.causes import Cause
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import Phase, PhaseFacts
from tidegate.domain.timestamps import to_timestamp

READY = "Ready"
SCHEDULED = "Scheduled"
MODEL_LOADED = "ModelLoaded"
QUEUE_LIMITED = "QueueLimited"

# Reasons of Ready that describe a state; every other reason of a False one is the cause of a failed start.
_STATES = frozenset({"Idle", "Starting", "Stopping", "Suspended", "Ready"})
INVALID_SPEC = "InvalidSpec"  # the operator cannot obey the spec
NAME_CONFLICT = "NameConflict"  # a foreign object has the name of one of ours
LEFT_OVER = "PredecessorNotGone"  # an object of a deleted InferenceService of this name is still there
REFUSED = "Refused"  # the API server refuses one of our objects: a policy, a webhook, a quota
_BLOCKS = frozenset(
    {INVALID_SPEC, NAME_CONFLICT, LEFT_OVER, REFUSED}
)  # causes that end as soon as they are looked at again


@dataclass(frozen=True, slots=True)
class Condition:
    """One observation; ``status`` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str


def conditions_of(
    phase: Phase, facts: PhaseFacts, unscheduled: int, limit: QueueLimit
) -> tuple[Condition, ...]:
    """All conditions of a service; ``unscheduled``: workers that have no node yet."""
    return (
        _ready(phase, facts),
        _scheduled(facts, unscheduled),
        _model_loaded(facts),
        Condition(QUEUE_LIMITED, "True", limit.source, f"at most {limit.limit} requests wait or run at once"),
    )


def blocked_condition(cause: Cause) -> Condition:
    """The one condition of a service for which the operator does nothing."""
    return Condition(READY, "False", cause.reason, cause.message)


def _ready(phase: Phase, facts: PhaseFacts) -> Condition:
    """Ready: a request sent now is answered, at once or after a cold start."""
    match phase:
        case Phase.IDLE:
            return Condition(READY, "True", "Idle", "no worker runs; the next request wakes one")
        case Phase.RUNNING:
            return Condition(READY, "True", "Ready", _running_message(facts))
        case Phase.STOPPING if not facts.suspended:
            return Condition(READY, "True", "Stopping", "workers finish; the next request wakes one")
        case Phase.SUSPENDED | Phase.STOPPING:
            return Condition(READY, "False", "Suspended", "suspend is true: requests are answered with 503")
        case _:
            return _not_ready(facts)


def _running_message(facts: PhaseFacts) -> str:
    count = f"{facts.ready} of {facts.wanted} workers ready"
    return f"{count}; {facts.cause.reason}: {facts.cause.message}" if facts.cause else count


def _not_ready(facts: PhaseFacts) -> Condition:
    cause = facts.cause or (facts.remembered if facts.wanted == 0 else None)
    if cause is None:
        return Condition(READY, "False", "Starting", "a worker starts; requests are held until it is ready")
    return Condition(READY, "False", cause.reason, cause.message)


def _scheduled(facts: PhaseFacts, unscheduled: int) -> Condition:
    if facts.wanted == 0:
        return Condition(SCHEDULED, "Unknown", "NoWorkers", "no worker is wanted")
    if facts.cause and unscheduled:
        return Condition(SCHEDULED, "False", facts.cause.reason, facts.cause.message)
    if unscheduled or not facts.remaining:
        return Condition(SCHEDULED, "False", "Pending", "a worker waits for a node")
    return Condition(SCHEDULED, "True", "Scheduled", "every worker has a node")


def _model_loaded(facts: PhaseFacts) -> Condition:
    if facts.ready:
        return Condition(MODEL_LOADED, "True", "Loaded", "a worker has loaded the model")
    cause = facts.cause or facts.remembered
    if cause and cause.failure:
        return Condition(MODEL_LOADED, "False", cause.reason, cause.message)
    if facts.wanted == 0:
        return Condition(MODEL_LOADED, "Unknown", "NoWorkers", "no worker is wanted")
    return Condition(MODEL_LOADED, "False", "Loading", "no worker has loaded the model yet")


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
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if unchanged else to_timestamp(now),
    }


def remembered_cause(previous: Iterable[Mapping[str, Any]], generation: int) -> Cause | None:
    """The cause of the last failed start, as an earlier status has it; None once the spec has changed."""
    ready: Mapping[str, Any] = next((each for each in previous if each.get("type") == READY), {})
    if ready.get("status") != "False" or ready.get("observedGeneration") != generation:
        return None
    reason = str(ready.get("reason", ""))
    return None if not reason or reason in _STATES | _BLOCKS else Cause(reason, str(ready.get("message", "")))
