"""When the engine sleeps: after so long without work, until the next work comes.

::

    AWAKE ── nothing ran for `after` seconds ──▶ CHANGING ──▶ ASLEEP
      ▲                                             │            │ work comes, and waits until it is awake
      └────────────────── CHANGING ◀────────────────┼────────────┘
                             └── an error, or late ─▶ FAILED: work that waits or comes is never run
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto
from functools import partial

from .report import say
from .sleeping import Engine, Rhythm, put_to_sleep, said_of, wake


class State(Enum):
    """Of the engine, as this process has brought it about."""

    AWAKE = auto()
    CHANGING = auto()
    ASLEEP = auto()
    FAILED = auto()


FAILURES = {State.ASLEEP: "the engine did not fall asleep", State.AWAKE: "the engine did not wake up"}


class Sleeper:
    """Counts the work and changes the engine's state by it. Begins awake, with ``start_clock``.

    ``failed`` is called once, with a sentence, when vLLM could not do a change: what the GPU's memory then
    holds nobody knows, so the engine is asked for nothing more.
    """

    def __init__(self, engine: Engine, rhythm: Rhythm, failed: Callable[[str], None]) -> None:
        self._engine = engine
        self._rhythm = rhythm
        self._failed = failed
        self._running = 0
        self._clock: asyncio.TimerHandle | None = None
        self._change: asyncio.Task[None] | None = None
        self.state = State.AWAKE

    def start_clock(self) -> None:
        """Measure idleness from now, where nothing runs."""
        self._stop_clock()
        if self._running == 0 and self.state is State.AWAKE:
            loop = asyncio.get_running_loop()
            self._clock = loop.call_later(self._rhythm.after, self._begin, State.ASLEEP)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    async def acquire(self) -> bool:
        """Work has come: True when it can run, False if it never will. ``release`` must follow, always."""
        self._running += 1
        self._stop_clock()
        while self.state in (State.CHANGING, State.ASLEEP):
            begun = self._change if self.state is State.CHANGING else None
            await asyncio.wait({begun or self._begin(State.AWAKE)})  # who stops waiting does not stop it
        return self.state is State.AWAKE

    def release(self) -> None:
        """Work has ended, in whatever way."""
        self._running -= 1
        self.start_clock()

    def close(self) -> None:
        """The server ends: nothing changes any more."""
        self._stop_clock()
        self.state = State.FAILED
        if self._change is not None:
            self._change.cancel()

    def _begin(self, goal: State) -> asyncio.Task[None]:
        """In a task of its own: a client that leaves must not leave an engine that is half awake."""
        self.state = State.CHANGING
        self._change = asyncio.create_task(self._become(goal))
        self._change.add_done_callback(partial(self._changed, goal))
        return self._change

    async def _become(self, goal: State) -> None:
        began = time.monotonic()
        try:
            await (wake if goal is State.AWAKE else put_to_sleep)(self._engine, self._rhythm)
            self.state = goal
        finally:
            if self.state is State.CHANGING:
                self.state = State.FAILED
        say("engine", state=goal.name.lower(), seconds=round(time.monotonic() - began, 3))

    def _changed(self, goal: State, change: asyncio.Task[None]) -> None:
        error = None if change.cancelled() else change.exception()
        if error is not None:
            self._failed(f"{FAILURES[goal]}: {said_of(error, self._rhythm)}")
        self.start_clock()  # whoever it was woken for may have left meanwhile
