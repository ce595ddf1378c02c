"""How long a worker has run and may still run, by a clock that nobody sets."""

from __future__ import annotations

import asyncio

from tidegate.local.worker.pod_state import Process


class LifePace:
    """Seconds of the event loop's clock within this process. What a predecessor wrote down is Unix time, and
    somebody may have set that clock since: an age or a grace from it is held to what it can be at all."""

    def __init__(self, startup_deadline: float, grace_seconds: float) -> None:
        self.startup_deadline = startup_deadline
        self._grace_seconds = grace_seconds
        self._process: Process | None = None
        self._began = 0.0  # on the loop's clock
        self._gone_by: float | None = None  # on the loop's clock

    def begun(self, process: Process, age: float = 0.0) -> None:
        """It has run for so many seconds."""
        self._process, self._began = process, _clock() - age

    def deleted(self) -> None:
        """Its grace begins."""
        self._gone_by = _clock() + self._grace_seconds

    def age(self, process: Process, now: float) -> float:
        """Seconds that it has run; of one that another process began at most its startup deadline.

        ``now``: Unix time.
        """
        if self._process != process:
            self.begun(process, min(max(0.0, now - process.since), self.startup_deadline))
        return _clock() - self._began

    def grace(self, gone_by: float | None, now: float) -> float:
        """Seconds that it still has to end by itself. ``gone_by``: Unix time that a record tells, None where
        it was not deleted: then all of it."""
        if gone_by is None:
            return self._grace_seconds
        if self._gone_by is None:
            self._gone_by = _clock() + min(gone_by - now, self._grace_seconds)
        return max(0.0, self._gone_by - _clock())


def _clock() -> float:
    return asyncio.get_running_loop().time()
