"""The pool that a decision is about, from a Deployment and its pods."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.domain.causes import Cause
from tidegate.domain.loose import Json
from tidegate.domain.scaling import Pool
from tidegate.domain.workers import WorkerFacts


def pool_of(deployment: Json, workers: Sequence[WorkerFacts], refused: Cause | None) -> Pool:
    """The workers as a Deployment and its pods show them; ``refused``: why it cannot make them, if so."""
    replicas = int(deployment["spec"].get("replicas", 0))
    alive = [worker for worker in workers if worker.alive]
    due = len(alive) < replicas and refused is None  # a pod that is about to be made
    trying = [worker.created for worker in alive if not worker.ready]
    return Pool(
        replicas=replicas,
        ready=sum(1 for worker in alive if worker.ready),
        loading=due or any(worker.loading for worker in alive),
        ready_since=max((worker.ready_since for worker in alive if worker.ready_since), default=None),
        trying_since=max(trying, default=0.0),
        running=sum(1 for worker in alive if worker.started or worker.ready),
        oldest=min((worker.created for worker in alive), default=0.0),
    )
