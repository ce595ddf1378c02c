"""Takes one service through its cycles, with requests in the phases that its plan names."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from tests.e2e.cycles.client import Client, Sent
from tests.e2e.cycles.plan import Phase, Step, draw
from tests.e2e.cycles.scene import Pool, Scene

WAKE_BUDGET = 120.0  # seconds for a worker to come
SLEEP_BUDGET = 120.0  # and for one that nobody needs to go
_HAVE_BEGUN = {  # what a step waits for: a service that is beyond it already is taken as it is
    Phase.WAKING: (Phase.WAKING, Phase.LOADING, Phase.RUNNING),
    Phase.LOADING: (Phase.LOADING, Phase.RUNNING),
    Phase.JUST_READY: (Phase.RUNNING,),
    Phase.RUNNING: (Phase.RUNNING,),
}


@dataclass
class Driver:
    """One service; ``chance`` decides everything that is not the cluster's to decide."""

    service: str
    scene: Scene
    client: Client
    chance: random.Random
    _under_way: list[asyncio.Task[None]] = field(default_factory=list)
    _count: int = 0

    @property
    def pool(self) -> Pool:
        """The service's workers."""
        return self.scene.pool(self.service)

    async def run(self, cycles: int) -> None:
        """Returns when the service has fallen asleep so many times, and sleeps."""
        while self.pool.sleeps < cycles:
            first, *later = draw(self.chance)
            await self._first(first)
            for step in later:
                await self._later(step)
            await self._answered()
            await self.scene.until(
                lambda: not self.pool.replicas, f"{self.service} falls asleep", SLEEP_BUDGET
            )

    async def _first(self, step: Step) -> None:
        if step.phase is Phase.ASLEEP:
            await self._reach(Phase.ASLEEP)
        await asyncio.sleep(step.after)
        self._send(step)

    async def _later(self, step: Step) -> None:
        if step.phase in _HAVE_BEGUN:
            await self._reach(*_HAVE_BEGUN[step.phase])
        else:
            await self._answered()
        await asyncio.sleep(step.after)
        self._send(step)

    async def _reach(self, *phases: Phase) -> None:
        """Returns also where nothing leads there: the worker that was about to go has served all."""

        def reached() -> bool:
            idle = all(task.done() for task in self._under_way) and not self.pool.replicas
            return self.pool.phase in phases or (idle and Phase.ASLEEP not in phases)

        await self.scene.until(reached, f"{self.service} is {' or '.join(phases)}", WAKE_BUDGET)

    async def _answered(self) -> None:
        await asyncio.gather(*self._under_way)
        self._under_way.clear()

    def _send(self, step: Step) -> None:
        self._count += 1
        idle = all(task.done() for task in self._under_way)
        seen = "idle" if self.pool.phase is Phase.RUNNING and idle else str(self.pool.phase)
        id_ = f"{self.service}-{self._count}"
        request = Sent(id_, self.service, step.phase, seen, step.stream, step.tokens)
        task = self.client.send(request)
        task.add_done_callback(lambda _: self.scene.nudge())
        self._under_way.append(task)
