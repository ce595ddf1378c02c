"""What runs in one worker at once."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from tidegate.simulation.engine import Engine
from tidegate.simulation.loop import Loop

Ended = Callable[[], None]


class Run:
    """One request that runs; ``ended`` None: it was aborted."""

    __slots__ = ("ended",)

    def __init__(self, ended: Ended) -> None:
        self.ended: Ended | None = ended

    def end(self) -> None:
        """Tells its end, unless it was aborted."""
        if self.ended is not None:
            self.ended()


class Batch:
    """Requests that share one worker: the more of them, the longer each takes, as its Engine says.

    All run at one pace, so what is left of them falls alike, and who is next to end stands on a heap by the
    work that each had done by all beside it (processor sharing).
    """

    __slots__ = ("_done", "_engine", "_heap", "_loop", "_number", "_running", "_since", "_turn")

    def __init__(self, engine: Engine, loop: Loop) -> None:
        self._engine = engine
        self._loop = loop
        self._heap: list[tuple[float, int, Run]] = []
        self._done = 0.0  # seconds of work that each has had which was there all the time
        self._since = loop.now
        self._number = self._turn = self._running = 0

    def begin(self, work: float, ended: Ended) -> Run:
        """Runs ``work`` seconds (as they are alone), then calls ``ended``."""
        run = Run(ended)
        if not self._engine.slowdown:
            self._loop.at(self._loop.now + work, run.end)
            return run
        self._pass()
        self._number += 1
        self._running += 1
        heapq.heappush(self._heap, (self._done + work, self._number, run))
        self._expect()
        return run

    def abort(self, run: Run) -> None:
        """It runs no more."""
        run.ended = None
        if self._engine.slowdown:
            self._pass()
            self._running -= 1
            self._expect()

    def _pass(self) -> None:
        now = self._loop.now
        if self._running:
            self._done += (now - self._since) / self._engine.stretch(self._running)
        self._since = now

    def _expect(self) -> None:
        """The next one to end ends then, unless who runs changes before."""
        self._turn = turn = self._turn + 1
        heap = self._heap
        while heap and heap[0][2].ended is None:
            heapq.heappop(heap)
        if heap:
            rest = (heap[0][0] - self._done) * self._engine.stretch(self._running)
            self._loop.at(self._loop.now + max(rest, 0.0), lambda: self._end(turn))

    def _end(self, turn: int) -> None:
        if turn != self._turn:
            return
        self._pass()
        self._done, _, run = heapq.heappop(self._heap)
        self._running -= 1
        self._expect()
        run.end()
