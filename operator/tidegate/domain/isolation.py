"""What the workers' cores are: the column by what the cluster's objects say, the condition by evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.core_list import format_cores
from tidegate.domain.evidence import Looks, WorkerEvidence
from tidegate.domain.isolation_words import LEAST_QUOTA, disturbed_by, named_cores, stopped_by
from tidegate.domain.workers import WorkerFacts

CPU_ISOLATED = "CPUIsolated"
STATIC = "static"
LESS_TIME = frozenset({"Throttled", "QuotaBelowCores"})
# Their messages have figures of the look that found them, and stand as first written while the reason does:
# an object is not written because a number has moved.
MOVING = frozenset({"Throttled", "Neighbours"})
NAMED = 3  # workers that a message names; the rest are counted


class Isolation(StrEnum):
    """One word for the column. Where evidence is missing, QoS class and node label speak."""

    EXCLUSIVE = "Exclusive"
    SHARED = "Shared"  # not Guaranteed, on a node that gives nobody cores of their own, or others run on them
    THROTTLED = "Throttled"  # cores of their own, and less time on them than they want
    UNKNOWN = "Unknown"  # the node's policy is not known


@dataclass(frozen=True, slots=True)
class NodePolicy:
    """The CPU manager policy on a node's label. ``administrators``: somebody else than tidegate wrote it."""

    policy: str | None = None
    administrators: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A ready worker, the label of its node, and what looks at it have told; None: it was not looked at."""

    worker: WorkerFacts
    node: NodePolicy
    looks: Looks | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What CPUIsolated says; ``status`` is True, False or Unknown."""

    status: str
    reason: str
    message: str

    @property
    def isolation(self) -> Isolation | None:
        """The column's word; None where there is no evidence."""
        if self.status == "Unknown":
            return None
        shared = Isolation.THROTTLED if self.reason in LESS_TIME else Isolation.SHARED
        return Isolation.EXCLUSIVE if self.status == "True" else shared


NO_WORKERS = Verdict("Unknown", "NoWorkers", "no worker is ready")
PENDING = Verdict("Unknown", "NoEvidence", "the workers are being asked what cores they have")


def judge(ready: Sequence[Seen], now: float) -> Verdict | None:
    """The verdict over all ready workers: the worst one speaks. None: a look that is under way will tell."""
    if not ready:
        return NO_WORKERS
    found = [_of_worker(each, now) for each in ready]
    told = [verdict for verdict in found if verdict is not None]
    for status in ("False", "Unknown", "True"):
        if status == "Unknown" and len(told) < len(found):
            return None
        if alike := [verdict for verdict in told if verdict.status == status]:
            return _together(alike)
    return None


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """Those of the first one's reason, in one message."""
    first = verdicts[0]
    messages = [verdict.message for verdict in verdicts if verdict.reason == first.reason]
    more = [f"and {len(messages) - NAMED} more"] if len(messages) > NAMED else []
    return Verdict(first.status, first.reason, "; ".join([*messages[:NAMED], *more]))


def _of_worker(seen: Seen, now: float) -> Verdict | None:
    if not seen.worker.guaranteed:
        return Verdict("False", "NotGuaranteed", _why_not_guaranteed(seen.worker))
    if seen.looks is None or seen.looks.pending:
        return None
    evidence, cores = seen.looks.evidence, seen.worker.cores
    if evidence is None or cores is None:
        text = "does not tell what cores it has; its image answers nothing at /isolation of its port 8001"
        return Verdict("Unknown", "NoEvidence", f"{seen.worker.name} {text}")
    return _of_evidence(seen, evidence, cores) or _of_time(seen, seen.looks, evidence, now)


def _of_evidence(seen: Seen, evidence: WorkerEvidence, cores: int) -> Verdict | None:
    """What is wrong with the cores; None where they are the worker's own."""
    name, node = seen.worker.name, seen.worker.node
    has = f"{name} may run on cores {format_cores(evidence.container)} of {node} and asked for {cores}"
    if evidence.shared(cores):
        if seen.node.policy == STATIC and seen.node.administrators:
            return Verdict(
                "False", "LabelContradicted", f"{has}, but an administrator labelled {node} static"
            )
        return Verdict("False", "SharedCores", f"{has}, so it shares them with others")
    if not evidence.exclusive(cores):
        return Verdict("False", "FewerCores", has)
    if seen.node.policy != STATIC:
        label = (
            f"{node} is labelled {seen.node.policy}" if seen.node.policy else f"no label of {node} is known"
        )
        return Verdict("Unknown", "NotStatic", f"{has}, but {label}: others may have been given the same")
    return None


def _of_time(seen: Seen, looks: Looks, evidence: WorkerEvidence, now: float) -> Verdict:
    """Whether the worker has the whole time of its cores; it is known that they are its own."""
    name, cores = seen.worker.name, named_cores(evidence, seen.worker.node)
    if stopped := looks.throttled(now):
        return Verdict(
            "False", "Throttled", f"{name} has {cores} to itself, and {stopped_by(stopped, evidence)}"
        )
    if evidence.quota is not None and evidence.quota < len(evidence.container) - LEAST_QUOTA:
        text = f"{name} has {cores} to itself, and a quota of no more than {evidence.quota:.3g} of them"
        return Verdict("False", "QuotaBelowCores", text)
    if others := looks.disturbed(now):
        return Verdict("False", "Neighbours", f"{name} was given {cores}, but {disturbed_by(others)}")
    return Verdict("True", "Exclusive", f"{name} has {cores} to itself")


def _why_not_guaranteed(worker: WorkerFacts) -> str:
    if not worker.strangers:
        return (
            f"{worker.name} is not in the QoS class Guaranteed: something has changed its requests or limits"
        )
    names = ", ".join(worker.strangers)
    return (
        f"{worker.name} is not in the QoS class Guaranteed, because of what was injected beside its engine: "
        f"{names}; switch the injection off for it, or give that equal requests and limits"
    )


def isolation_of(workers: Iterable[WorkerFacts], policy_of: Callable[[str], str | None]) -> Isolation | None:
    """The weakest of all placed workers, as far as objects tell, None where there is none.

    ``policy_of``: node -> its label.
    """
    found = {_isolation(worker, policy_of(worker.node)) for worker in workers if worker.node and worker.alive}
    order = (Isolation.SHARED, Isolation.UNKNOWN, Isolation.EXCLUSIVE)
    return next((each for each in order if each in found), None)


def _isolation(worker: WorkerFacts, policy: str | None) -> Isolation:
    if not worker.guaranteed or policy == "none":
        return Isolation.SHARED
    return Isolation.EXCLUSIVE if policy == STATIC else Isolation.UNKNOWN
