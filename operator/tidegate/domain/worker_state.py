"""Which workers can take requests, and what a service's workers are doing as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from tidegate.domain.flow_ticket import EndpointKey
from tidegate.domain.service import ServiceView, Worker


class WorkerState(Enum):
    """One word for a service's workers."""

    RUNNING = "running"  # at least one takes requests
    STARTING = "starting"
    STOPPING = "stopping"
    IDLE = "idle"  # none
    SUSPENDED = "suspended"


def endpoint_key(worker: Worker) -> EndpointKey:
    """The endpoint of a worker that has an address."""
    return EndpointKey(worker.uid, worker.incarnation, worker.host, worker.port)


def candidates(view: ServiceView) -> dict[EndpointKey, Worker]:
    """The workers that may take requests now or soon: they have an address and are not terminating."""
    return {endpoint_key(w): w for w in view.workers if w.host and not w.terminating}


def any_coming(view: ServiceView) -> bool:
    """True where a worker exists that is not on its way out, so that nothing has to be woken."""
    return any(not worker.terminating for worker in view.workers)


def must_wake(view: ServiceView, waiting: int) -> bool:
    """True while ``waiting`` requests wait for a worker and none is there or on its way.

    A view may be old. One that shows a worker which is gone by now delays the wake until its deletion is
    seen; one that misses a worker which is there asks in vain, for a wake only ever turns zero into one.
    """
    return view.config.wakes and waiting > 0 and not any_coming(view)


def furthest_stage(workers: Iterable[Worker]) -> str | None:
    """How far the furthest worker that is not terminating has come; None where there is none."""
    order = {"created": 0, "scheduled": 1, "started": 2}
    stages = [w.stage for w in workers if not w.terminating and w.stage in order]
    return max(stages, key=order.__getitem__, default=None)


def worker_state(view: ServiceView, endpoints: int) -> WorkerState:
    """The state of a service with ``endpoints`` that take requests."""
    if endpoints:
        return WorkerState.RUNNING
    if any_coming(view):
        return WorkerState.STARTING
    if view.workers:
        return WorkerState.STOPPING
    return WorkerState.SUSPENDED if view.config.suspended else WorkerState.IDLE
