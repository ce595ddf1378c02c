"""Before a decrease that leaves workers: the least busy ones are marked, so that they go first."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from tidegate.control.counters import CounterWatch
from tidegate.controller.metrics import OperatorMetrics
from tidegate.domain.deletion_order import Candidate, costs_to_write
from tidegate.domain.workers import WorkerFacts
from tidegate.kube.client import KubeClient
from tidegate.kube.deletion_cost import write_deletion_cost
from tidegate.kube.errors import KubeError, NotLeaderError

_logger = logging.getLogger(__name__)


class DeletionOrder:
    """Asks the workers' own counters: they know of requests that came round the gateway, too."""

    def __init__(self, client: KubeClient, counters: CounterWatch, metrics: OperatorMetrics) -> None:
        self._client = client
        self._counters = counters
        self._metrics = metrics

    async def arrange(self, namespace: str, workers: Sequence[WorkerFacts], keep: int) -> bool:
        """Mark who goes when the pool shrinks to ``keep``; True where anybody was asked, so that time passed.

        Workers that are not ready go first in any case. A mark that cannot be written costs nothing but the
        order. NotLeaderError.
        """
        ready = [worker for worker in workers if worker.alive and worker.ready]
        leave = len(ready) - keep
        if leave <= 0 or keep <= 0:
            return False
        heard = await self._counters.look({each.name: each.host for each in ready if each.host})
        active = {name: counters.active for name, counters in heard.items()}
        candidates = [
            Candidate(each.name, each.deletion_cost, active.get(each.name, math.inf)) for each in ready
        ]
        uids = {each.name: each.uid for each in ready}
        for name, cost in costs_to_write(candidates, leave).items():
            await self._write(namespace, name, uids[name], cost)
        return True

    async def _write(self, namespace: str, pod: str, uid: str, cost: int) -> None:
        try:
            await write_deletion_cost(self._client, namespace, pod, uid, cost)
        except NotLeaderError:
            raise
        except KubeError as error:
            _logger.warning("pod %s/%s is not marked to go first: %s", namespace, pod, error)
        else:
            self._metrics.writes.labels("Pod", "patch").inc()
