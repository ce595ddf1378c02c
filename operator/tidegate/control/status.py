"""The status of a service, computed from facts; written elsewhere, and only where it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.api.config import served_names
from tidegate.api.v1alpha1 import InferenceService
from tidegate.control.cost import cost_status
from tidegate.control.scaling_status import figures_of, scaling_status
from tidegate.domain.causes import Cause
from tidegate.domain.conditions import (
    Condition,
    blocked_condition,
    conditions_of,
    worker_conditions,
    written,
)
from tidegate.domain.isolation import CPU_ISOLATED, Isolation, Verdict
from tidegate.domain.limits import QueueLimit
from tidegate.domain.phases import Phase, PhaseFacts, phase_of
from tidegate.domain.rejections import BackOff
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.start_count import Starts, count_starts
from tidegate.domain.timestamps import to_timestamp
from tidegate.domain.workers import WorkerFacts
from tidegate.resources.labels import selector_text
from tidegate.resources.names import GATEWAY_SERVICE_PORT
from tidegate.resources.service import url

Json = dict[str, Any]


@dataclass(frozen=True)
class Observation:
    """All that a status is made of. ``decision`` None: the operator does nothing for this object.

    ``others``: conditions that are decided by other evidence than the pods' status.
    """

    facts: PhaseFacts
    workers: tuple[WorkerFacts, ...]
    limit: QueueLimit
    load: Load
    decision: ScaleDecision | None
    isolation: Isolation | None
    gateway_port: int = GATEWAY_SERVICE_PORT
    url: str = ""  # where clients reach it; empty: by its Service in the cluster
    others: tuple[Condition, ...] = ()
    verdict: Verdict | None = None  # on the workers' cores; None: isolation is not asked for
    back_off: BackOff | None = None  # nobody is started for a while
    starts: Starts = field(default_factory=Starts)  # what is known of cold starts beside the pods


def status_of(service: InferenceService, seen: Observation, previous: Mapping[str, Any], now: float) -> Json:
    """The whole status; a field that does not apply is None, so that a merge patch removes it."""
    phase = phase_of(seen.facts)
    present = [worker for worker in seen.workers if not worker.ended]
    others = (*seen.others, *_cpu_isolated(seen.verdict), *_sleeps_later(seen.decision))
    conditions = conditions_of(phase, seen.facts, seen.limit, others)
    generation = service.metadata.generation
    return {
        "observedGeneration": generation,
        "phase": str(phase),
        "url": seen.url or url(service, seen.gateway_port),
        "replicas": len(present),
        "readyReplicas": seen.facts.ready,
        "ready": f"{seen.facts.ready}/{seen.facts.wanted}",
        "selector": selector_text(service.metadata.name),
        "model": served_names(service)[0],
        "isolation": _isolation(seen),
        "queue": _queue(seen.limit, seen.load),
        "scaling": _scaling(seen, previous.get("scaling") or {}, now),
        "coldStarts": _cold_starts(phase, seen, previous),
        "cost": cost_status(service.spec.pricing, len(present)),
        "conditions": written(conditions, previous.get("conditions") or (), generation, now),
    }


def blocked_status(raw: Json, cause: Cause, facts: PhaseFacts, now: float) -> Json:
    """The status of a service for which the operator does nothing: what its pods tell goes on to be told.

    What depends on the spec stands as it was, with the generation that it was about.
    """
    generation, previous = raw["metadata"].get("generation", 0), raw.get("status") or {}
    before = previous.get("conditions") or ()
    told = written([blocked_condition(cause), *worker_conditions(facts)], before, generation, now)
    kinds = {condition["type"] for condition in told}
    return {
        "observedGeneration": generation,
        "phase": str(Phase.FAILED if cause.failure else Phase.STARTING),
        "replicas": facts.remaining,
        "readyReplicas": facts.ready,
        "ready": f"{facts.ready}/{facts.wanted}",
        "conditions": told + [each for each in before if each.get("type") not in kinds],
    }


def _cpu_isolated(verdict: Verdict | None) -> list[Condition]:
    return [Condition(CPU_ISOLATED, verdict.status, verdict.reason, verdict.message)] if verdict else []


def _sleeps_later(decision: ScaleDecision | None) -> list[Condition]:
    extended = decision.flapping.condition() if decision and decision.flapping else None
    return [extended] if extended else []


def _isolation(seen: Observation) -> str | None:
    """By evidence where there is any."""
    found = seen.verdict.isolation if seen.verdict else None
    word = found or seen.isolation
    return None if word is None else str(word)


def _queue(limit: QueueLimit, load: Load) -> Json:
    return {"limit": limit.limit, "source": limit.source, "summary": f"{load.depth}/{limit.limit}"}


def _scaling(seen: Observation, previous: Mapping[str, Any], now: float) -> Json | None:
    told = scaling_status(seen.decision, figures_of(seen.load, seen.workers), previous, now)
    if told is None or seen.back_off is None:
        return told
    return told | {"backoffUntil": to_timestamp(seen.back_off.until)}


def _cold_starts(phase: Phase, seen: Observation, previous: Mapping[str, Any]) -> Json | None:
    turned_ready = phase is Phase.RUNNING and previous.get("phase") != Phase.RUNNING
    before = previous.get("coldStarts") or {}
    return count_starts(before, seen.workers, seen.starts, turned_ready=turned_ready)


def status_patch(wanted: Json, previous: Mapping[str, Any]) -> Json:
    """The fields that differ, for a merge patch; empty where nothing does."""
    return {
        name: _nulled(value, previous.get(name))
        for name, value in wanted.items()
        if value != previous.get(name)
    }


def _nulled(value: Any, before: Any) -> Any:
    """A merge patch keeps what it does not name: name the keys that must go, at any depth."""
    if isinstance(value, Mapping) and isinstance(before, Mapping):
        kept = {name: _nulled(each, before.get(name)) for name, each in value.items()}
        return {**dict.fromkeys(before.keys() - value.keys()), **kept}
    return value


def only_queue(patch: Mapping[str, Any]) -> bool:
    """Whether only the queue's depth has changed, which is written less often."""
    return set(patch) == {"queue"}
