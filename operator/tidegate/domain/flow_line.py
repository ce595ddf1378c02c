"""The order of those that wait."""

from __future__ import annotations

import heapq
from typing import Final

from tidegate.domain.flow_ticket import Stage, Ticket

STEP_SECONDS: Final = 1.0
_WAITING: Final = Stage.WAITING


class Line:
    """Smaller priorities first, first come first served inside one, and nobody starves.

    A second of waiting is worth one step of priority (STEP_SECONDS), so a request of priority 5 is
    passed by those of priority 0 that arrive up to 5 s after it, and by no later one; the least
    important (100) waits behind the most important (-100) that arrive up to 200 s after it. Since all
    that wait age alike, the order of two never changes: it is known at the arrival, and a heap keeps it.
    """

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Ticket]] = []  # tickets that left the line too, until their turn

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, ticket: Ticket) -> None:
        """Takes a WAITING ticket in, at the place that its arrival gives it."""
        key = ticket.arrived + ticket.priority * STEP_SECONDS
        heapq.heappush(self._heap, (key, ticket.sequence, ticket))

    def first(self) -> Ticket:
        """Whose turn it is; IndexError where nobody waits."""
        heap = self._heap
        while heap[0][2].stage is not _WAITING:
            heapq.heappop(heap)
        return heap[0][2]

    def pop(self) -> Ticket:
        """Takes out whose turn it is; IndexError where nobody waits."""
        while True:
            ticket = heapq.heappop(self._heap)[2]
            if ticket.stage is _WAITING:
                return ticket

    def waiting(self) -> list[Ticket]:
        """All that wait, in no order."""
        return [ticket for _, _, ticket in self._heap if ticket.stage is _WAITING]

    def forget_ended(self, waiting: int) -> None:
        """Lets go of tickets that left, where they are more than half; ``waiting`` is how many have not."""
        if len(self._heap) > 2 * waiting + 64:
            self.purge()

    def purge(self) -> None:
        """Lets go of all tickets that left."""
        self._heap = [entry for entry in self._heap if entry[2].stage is _WAITING]
        heapq.heapify(self._heap)
