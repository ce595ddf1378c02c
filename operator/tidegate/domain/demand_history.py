"""What the gateways told over the last seconds: time-weighted means, and how demand has moved."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

GRAIN: Final = 1.0
"""Seconds; what was told within one is kept as one: a minute is 60 numbers, however often it changed."""


class Told(Protocol):
    """What is remembered of a load."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker."""
        ...

    @property
    def in_flight(self) -> int:
        """Requests that run."""
        ...


class Sums(NamedTuple):
    """Up to ``until`` (Unix seconds): requests that waited, and that ran, each times the seconds that it did.

    The mean between two of them is their difference over their distance, however much was told in between.
    """

    until: float
    waiting: float = 0.0
    in_flight: float = 0.0


NOTHING: Final = Sums(0.0)


@dataclass(frozen=True, slots=True)
class Mean:
    """A demand over some time; see scaling_metrics.Demand."""

    waiting: float
    in_flight: float
    execution_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DemandHistory:
    """Demand as steps: what is told holds until the next telling. Nothing is known before ``begun``, which
    counts as no demand."""

    since: float  # of what is told last
    waiting: int = 0
    in_flight: int = 0
    past: tuple[Sums, ...] = ()  # times ascend
    begun: float = 0.0
    base: Sums = NOTHING  # what was summed up to ``begun``

    def then(self, told: Told, now: float, keep: float) -> DemandHistory:
        """The history one telling later; what ended more than ``keep`` seconds ago is forgotten."""
        sums = self._closed(now)
        first = bisect_right(sums, now - keep, key=_until)
        begun, base = (sums[first - 1].until, sums[first - 1]) if first else (self.begun, self.base)
        return DemandHistory(now, told.waiting, told.in_flight, sums[first:], begun, base)

    def _closed(self, now: float) -> tuple[Sums, ...]:
        """With the last telling summed; within a grain the sums in between are left out."""
        if now <= self.since:
            return self.past
        new, past = self._at(now), self.past
        begin = past[-2].until if len(past) > 1 else self.begun
        return (*(past[:-1] if past and now - begin <= GRAIN else past), new)

    def mean(self, now: float, seconds: float) -> Mean:
        """The time-weighted mean over the last ``seconds``: sum of value x time it held, over ``seconds``.

        40 for 15 s of the last 60 and nothing before and after: 10.
        """
        end, begin = self._at(now), self._at(now - seconds)
        waiting, in_flight = end.waiting - begin.waiting, end.in_flight - begin.in_flight
        return Mean(waiting / seconds, in_flight / seconds)

    def known(self, now: float, seconds: float) -> float:
        """How many of the last ``seconds`` are known."""
        return min(seconds, now - self.begun)

    def depth_at(self, when: float) -> float:
        """Requests that waited or ran at that time; none before the first."""
        if when >= self.since:
            return self.waiting + self.in_flight
        if when < self.begun or not self.past:
            return 0.0
        before, after = self._around(when)
        summed = after.waiting - before.waiting + after.in_flight - before.in_flight
        return summed / (after.until - before.until)

    def _at(self, when: float) -> Sums:
        """The sums up to any time."""
        if when >= self.since:
            last = self.past[-1] if self.past else self.base
            held = when - self.since
            return Sums(when, last.waiting + self.waiting * held, last.in_flight + self.in_flight * held)
        if when <= self.begun or not self.past:
            return self.base
        before, after = self._around(when)
        share = (when - before.until) / (after.until - before.until)
        return Sums(
            when,
            before.waiting + (after.waiting - before.waiting) * share,
            before.in_flight + (after.in_flight - before.in_flight) * share,
        )

    def _around(self, when: float) -> tuple[Sums, Sums]:
        """The sums before and after a time between ``begun`` and the last of them."""
        place = min(bisect_right(self.past, when, key=_until), len(self.past) - 1)
        return (self.past[place - 1] if place else self.base._replace(until=self.begun)), self.past[place]


def _until(sums: Sums) -> float:
    return sums.until
