"""How fast a queue drains, and so when a refused client should come again."""

from __future__ import annotations

import math

WINDOW_SECONDS = 30.0  # an end that long ago weighs 1/e
UNKNOWN_SECONDS = 60
SHORTEST_SECONDS, LONGEST_SECONDS = 1, 300


class DrainRate:
    """Ends a second, exponentially weighted over the last half minute."""

    __slots__ = ("_first", "_last", "_weight")

    def __init__(self) -> None:
        self._first = self._last = 0.0
        self._weight = 0.0

    def ended(self, now: float) -> None:
        """One request ended at ``now`` (seconds on any clock that only goes forward)."""
        if not self._weight:
            self._first = self._last = now
        self._weight = self._decayed(now) + 1.0
        self._last = now

    def per_second(self, now: float) -> float:
        """Ends a second as seen at ``now``; 0 where nothing ended lately.

        A young window is not a slow one: 3 ends in the first 2 s are 1.5 a second, though the
        window is 30 s long, so the weight is divided by the part of it that has passed.
        """
        weight = self._decayed(now)
        if weight < 0.01:
            return 0.0
        seen = WINDOW_SECONDS * (1.0 - math.exp(-max(now - self._first, 1.0) / WINDOW_SECONDS))
        return weight / seen

    def _decayed(self, now: float) -> float:
        return self._weight * math.exp((self._last - now) / WINDOW_SECONDS)


def retry_after(depth: int, per_second: float) -> int:
    """Whole seconds until ``depth`` requests have drained: 60 where the rate is unknown, else 1 to 300."""
    if per_second <= 0.0:
        return UNKNOWN_SECONDS
    return clamp(depth / per_second)


def clamp(seconds: float) -> int:
    """``seconds`` rounded up, and between 1 and 300."""
    return max(SHORTEST_SECONDS, min(LONGEST_SECONDS, math.ceil(seconds)))
