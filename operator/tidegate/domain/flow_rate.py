"""How fast a queue drains: when a refused client should come again, and how long requests run."""

from __future__ import annotations

import math
from typing import Final

SLOT_SECONDS: Final = 2
SLOTS: Final = 15  # the last half minute
UNKNOWN_SECONDS: Final = 60
SHORTEST_SECONDS: Final = 1
LONGEST_SECONDS: Final = 300
MEAN_OF: Final = 32


class DrainRate:
    """Ends a second over the last half minute: a ring of counts, since an end must cost next to nothing."""

    __slots__ = ("_counts", "_first", "_slot")

    def __init__(self) -> None:
        self._counts = [0] * SLOTS
        self._slot = -1  # the number of the slot that was counted in last, since the clock's zero
        self._first = 0.0  # when the first end was seen

    def ended(self, now: float) -> None:
        """One request ended at ``now`` (seconds on any clock that only goes forward)."""
        slot = int(now / SLOT_SECONDS)
        if slot != self._slot:
            self._turn_to(slot, now)
        self._counts[slot % SLOTS] += 1

    def per_second(self, now: float) -> float:
        """Ends a second as seen at ``now``; 0 where nothing ended in the last half minute.

        A young window is not a slow one: 3 ends in the first 2 s are 1.5 a second, though the
        window is 30 s long, so the count is divided by the part of it that has passed.
        """
        if self._slot < 0:
            return 0.0
        self._turn_to(int(now / SLOT_SECONDS), now)
        seen = min(max(now - self._first, 1.0), float(SLOT_SECONDS * SLOTS))
        return sum(self._counts) / seen

    def _turn_to(self, slot: int, now: float) -> None:
        """Empties the slots that have passed since the last end."""
        if self._slot < 0:
            self._slot, self._first = slot, now
        for passed in range(min(slot - self._slot, SLOTS)):
            self._counts[(slot - passed) % SLOTS] = 0
        self._slot = slot


class ExecutionTime:
    """How long requests run, on average over about the last 32 that have ended.

    It outlives a sleep: what a model took yesterday says more than nothing. 0.0 where none has ended.
    """

    __slots__ = ("_count", "seconds")

    def __init__(self) -> None:
        self._count = 0
        self.seconds = 0.0

    def ended(self, seconds: float) -> None:
        """One request has run so long."""
        if self._count < MEAN_OF:
            self._count += 1
        self.seconds += (seconds - self.seconds) / self._count


def retry_after(depth: int, per_second: float) -> int:
    """Whole seconds until ``depth`` requests have drained: 60 where the rate is unknown, else 1 to 300."""
    if per_second <= 0.0:
        return UNKNOWN_SECONDS
    return clamp(depth / per_second)


def clamp(seconds: float) -> int:
    """``seconds`` rounded up, and between 1 and 300."""
    return max(SHORTEST_SECONDS, min(LONGEST_SECONDS, math.ceil(seconds)))
