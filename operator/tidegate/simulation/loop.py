"""Time that passes only from event to event."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Loop:
    """Events in the order of their times; those of one time in the order in which they were asked for."""

    __slots__ = ("_events", "_number", "now")

    def __init__(self, now: float = 0.0) -> None:
        self.now = now  # seconds
        self._number = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Calls ``act`` at ``when``, which must not be past."""
        self._number += 1
        heapq.heappush(self._events, (when, self._number, act))

    def run(self, over: Callable[[], bool]) -> None:
        """Goes from event to event until ``over`` says so, or nothing is left to happen."""
        events, pop = self._events, heapq.heappop
        while events and not over():
            self.now, _, act = pop(events)
            act()
