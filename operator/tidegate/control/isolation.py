"""From a service and its workers to what the domain judges: isolation, and the nodes that could give it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService
from tidegate.control.evidence import EvidenceBoard
from tidegate.domain.isolation import (
    CPU_ISOLATED,
    MOVING,
    NO_WORKERS,
    PENDING,
    NodePolicy,
    Seen,
    Verdict,
    judge,
)
from tidegate.domain.static_nodes import Needs
from tidegate.domain.workers import WorkerFacts
from tidegate.resources.engine import container_resources
from tidegate.resources.placement import required_labels


def cpu_isolated(
    service: InferenceService,
    workers: Iterable[WorkerFacts],
    label: Callable[[str], NodePolicy],
    evidence: EvidenceBoard,
    now: float,
) -> Verdict | None:
    """What CPUIsolated says; None where isolation is not asked for. ``label``: a node -> its policy's label.

    While looks are under way, as after a start of the operator, what was last written of this generation
    stands.
    """
    if service.spec.cpu_isolation == "None":
        return None
    ready = [each for each in workers if each.ready]
    seen = [Seen(each, label(each.node), evidence.looks(each.uid)) for each in ready]
    before, verdict = _before(service), judge(seen, now)
    if verdict is None:
        return before or PENDING
    return before if before and _still(before, verdict, seen, now) else verdict


def _still(before: Verdict, verdict: Verdict, seen: Iterable[Seen], now: float) -> bool:
    """Whether what was written of a moving figure stands: the figure alone is not news, and after a restart
    the operator has not looked for long enough yet to say that it is over."""
    if before.reason not in MOVING:
        return False
    if verdict.reason == before.reason:
        return True
    young = any(each.worker.name in before.message and _young(each, now) for each in seen)
    return young and verdict.status == "True"


def _young(seen: Seen, now: float) -> bool:
    return seen.looks is None or seen.looks.young(now)


def _before(service: InferenceService) -> Verdict | None:
    for each in service.status.conditions if service.status else ():
        if each.type == CPU_ISOLATED and each.observed_generation == service.metadata.generation:
            verdict = Verdict(each.status, each.reason, each.message)
            return None if verdict == NO_WORKERS else verdict
    return None


def needs_of(spec: InferenceServiceSpec) -> Needs:
    """What a worker needs of its node, exclusive cores aside."""
    amounts = container_resources(spec.resources, limit_cpu=True)["requests"]
    return Needs(amounts, required_labels(spec))
