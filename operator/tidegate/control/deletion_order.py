"""Before a decrease that leaves workers: the least busy ones are marked, so that they go first."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

from tidegate.control.counters import CounterWatch
from tidegate.domain.deletion_order import Candidate, costs_to_write
from tidegate.domain.workers import WorkerFacts

Mark = Callable[[str, WorkerFacts, int], Awaitable[None]]
"""Notes the deletion cost of a worker; its first argument is the namespace."""


class DeletionOrder:
    """Asks the workers' own counters: they know of requests that came round the gateway, too."""

    def __init__(self, counters: CounterWatch, mark: Mark) -> None:
        self._counters = counters
        self._mark = mark

    async def arrange(self, namespace: str, workers: Sequence[WorkerFacts], keep: int) -> bool:
        """Mark who goes when the pool shrinks to ``keep``; True where anybody was asked, so that time passed.

        Workers that are not ready go first in any case.
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
        by_name = {each.name: each for each in ready}
        for name, cost in costs_to_write(candidates, leave).items():
            await self._mark(namespace, by_name[name], cost)
        return True
