"""From the workers of a service to the facts that its phase and its conditions depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.causes import Cause
from tidegate.domain.conditions import rememberable, remembered_cause
from tidegate.domain.draining import draining_of
from tidegate.domain.phases import PhaseFacts
from tidegate.domain.workers import WorkerFacts, first_cause

Advise = Callable[[Cause | None], Cause | None]


def phase_facts(
    service: InferenceService,
    workers: Sequence[WorkerFacts],
    wanted: int,
    cause: Cause | None,
    advise: Advise,
) -> PhaseFacts:
    """``cause``: why a worker is not ready; ``advise`` says more of it where the nodes tell more."""
    facts = worker_phase_facts(workers, wanted, advise(cause), advise)
    before = remembered_cause(previous_conditions(service), service.metadata.generation)
    now = rememberable(facts.cause) if facts.ready == 0 else None
    return replace(facts, suspended=service.spec.suspend, remembered=before or now)


def worker_phase_facts(
    workers: Sequence[WorkerFacts], wanted: int, cause: Cause | None, advise: Advise
) -> PhaseFacts:
    """Those that pods alone tell, whatever the spec says."""
    unscheduled = [worker for worker in workers if worker.alive and not worker.node]
    starting = [worker.stage for worker in workers if worker.alive and not worker.ready]
    none_made = cause if wanted and not any(worker.alive for worker in workers) else None
    return PhaseFacts(
        suspended=False,
        wanted=wanted,
        ready=sum(1 for worker in workers if worker.ready),
        remaining=sum(1 for worker in workers if not worker.ended),
        cause=cause,
        unscheduled=len(unscheduled),
        unscheduled_cause=advise(first_cause(unscheduled)) or none_made,
        stage=max(starting, default=None),
        draining=draining_of(workers),
    )


def previous_conditions(service: InferenceService) -> list[Mapping[str, Any]]:
    """The conditions as they stand in the object."""
    conditions = service.status.conditions if service.status else ()
    return [condition.model_dump(by_alias=True) for condition in conditions]
