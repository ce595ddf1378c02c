"""Marks a worker's pod to go first when its ReplicaSet shrinks."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tidegate.controller.metrics import OperatorMetrics
from tidegate.domain.workers import WorkerFacts
from tidegate.kube.client import KubeClient
from tidegate.kube.deletion_cost import write_deletion_cost
from tidegate.kube.errors import KubeError, NotLeaderError

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeletionMarks:
    """A mark that cannot be written costs nothing but the order."""

    client: KubeClient
    metrics: OperatorMetrics

    async def write(self, namespace: str, worker: WorkerFacts, cost: int) -> None:
        """The pod gets this cost. NotLeaderError."""
        try:
            await write_deletion_cost(self.client, namespace, worker.name, worker.uid, cost)
        except NotLeaderError:
            raise
        except KubeError as error:
            _logger.warning("pod %s/%s is not marked to go first: %s", namespace, worker.name, error)
        else:
            self.metrics.writes.labels("Pod", "patch").inc()
