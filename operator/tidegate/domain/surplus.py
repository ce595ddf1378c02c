"""Since when a pool is larger than it must be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NeedHistory:
    """How many workers the load needs, and what larger numbers it needed before.

    ``past``: pairs of the Unix time until which a larger number was needed, and that number; times ascend,
    numbers fall, so there are never more pairs than workers. Where nothing is remembered, ``NeedHistory(n)``
    for a pool of n says that all of them were needed until now.
    """

    current: int
    past: tuple[tuple[float, int], ...] = ()

    def then(self, need: int, now: float, delay: float) -> NeedHistory:
        """The history one look later; what ended ``delay`` seconds ago or earlier is forgotten."""
        ended = (*self.past, (now, self.current)) if self.current > need else self.past
        kept = tuple((until, number) for until, number in ended if number > need and until + delay > now)
        return NeedHistory(need, kept)

    @property
    def highest(self) -> int:
        """The largest number that was needed within the delay."""
        return self.past[0][1] if self.past else self.current

    def falls_after(self, now: float, delay: float) -> float | None:
        """Seconds until ``highest`` is smaller if the load stays; None: it does not become smaller."""
        return self.past[0][0] + delay - now if self.past else None
