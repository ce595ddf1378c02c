"""What a worker's cores are, as far as the cluster's own objects tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from tidegate.domain.causes import Cause
from tidegate.domain.reasons import Reason
from tidegate.domain.workers import WorkerFacts


class Isolation(StrEnum):
    """Derived from QoS class and node label; the kernel's own evidence is the worker's to give."""

    EXCLUSIVE = "Exclusive"  # Guaranteed, whole cores, on a node with the static policy
    SHARED = "Shared"  # not Guaranteed, or on a node that gives nobody cores of their own
    UNKNOWN = "Unknown"  # the node's policy is not known


def isolation_of(workers: Iterable[WorkerFacts], policy_of: Callable[[str], str | None]) -> Isolation | None:
    """The weakest of all placed workers, None where there is none; ``policy_of``: node -> its label."""
    found = {_isolation(worker, policy_of(worker.node)) for worker in workers if worker.node and worker.alive}
    order = (Isolation.SHARED, Isolation.UNKNOWN, Isolation.EXCLUSIVE)
    return next((each for each in order if each in found), None)


def _isolation(worker: WorkerFacts, policy: str | None) -> Isolation:
    if not worker.guaranteed or policy == "none":
        return Isolation.SHARED
    return Isolation.EXCLUSIVE if policy == "static" else Isolation.UNKNOWN


def no_static_node(cause: Cause | None, *, required: bool, any_static: bool) -> Cause | None:
    """The cause, or, where exclusive cores are required and no node offers any, how to get them."""
    lacks_a_node = cause is not None and cause.reason in (Reason.UNSCHEDULABLE, Reason.NO_MATCHING_NODE)
    if cause is None or not lacks_a_node or not required or any_static:
        return cause
    advice = (
        "cpuIsolation is Required and no node is labelled tidegate.io/cpu-manager-policy=static: set "
        "cpuManagerPolicy: static with reserved CPUs in a kubelet's configuration, or choose Preferred. "
    )
    return Cause(Reason.NO_STATIC_NODE, advice + cause.message, failure=False)
