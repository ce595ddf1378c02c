"""An event loop whose clock goes on only when nothing is left to do: no machine is too slow for a test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Sleeps cost no time; between two timers everything that is ready has run. For tests without sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_now = 0.0

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._virtual_now

    def _run_once(self) -> None:
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        due = min((each.when() for each in timers if not each.cancelled()), default=self._virtual_now)
        if not self._ready:  # type: ignore[attr-defined]
            self._virtual_now = max(self._virtual_now, due)
        super()._run_once()  # type: ignore[misc]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a test's coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)
