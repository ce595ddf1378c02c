"""What the gateways told over the last seconds: time-weighted means, and how much there was at a time."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple, Protocol

GRAIN: Final = 1.0
"""Seconds; what was told within one is kept as its mean: a minute is 60 numbers, however often it changed."""


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


class Mean(NamedTuple):
    """A demand over some time; see scaling_metrics.Demand."""

    waiting: float
    in_flight: float
    execution_seconds: float | None = None


class Area(NamedTuple):
    """Requests x seconds up to ``time`` (Unix seconds), from the beginning of what is known."""

    time: float
    waiting: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class DemandHistory:
    """Demand as steps: what is told holds until the next telling. What is not known counts as no demand.

    Kept as running sums, so that a mean is a difference of two of them.
    """

    areas: tuple[Area, ...]  # times ascend; of the last one on ``waiting`` and ``in_flight`` hold
    waiting: int
    in_flight: int

    def then(self, told: Told, now: float, keep: float) -> DemandHistory:
        """The history one telling later; what is more than ``keep`` seconds ago is forgotten. It begins anew
        where the clock was set back: times that are yet to come tell nothing of the past."""
        areas = self.areas
        if now < areas[-1].time - GRAIN:
            return first_told(told, now)
        if now > areas[-1].time:
            within_grain = len(areas) > 1 and now - areas[-2].time <= GRAIN
            areas = (*(areas[:-1] if within_grain else areas), self._area(now))
        if areas[0].time < now - keep - GRAIN:
            areas = areas[max(0, bisect_right(areas, now - keep, key=_TIME) - 1) :]
        return DemandHistory(areas, told.waiting, told.in_flight)

    def mean(self, now: float, seconds: float) -> Mean:
        """The time-weighted mean over the last ``seconds``: sum of value x time it held, over ``seconds``.

        40 for 15 s of the last 60 and nothing before and after: 10.
        """
        begin, end = self._area(now - seconds), self._area(now)
        return Mean((end.waiting - begin.waiting) / seconds, (end.in_flight - begin.in_flight) / seconds)

    def known(self, now: float, seconds: float) -> float:
        """How many of the last ``seconds`` are known."""
        return min(seconds, now - self.areas[0].time)

    def depth_at(self, when: float) -> float:
        """Requests that waited or ran at that time, to a grain; none before the first."""
        place = bisect_right(self.areas, when, key=_TIME)
        if place == 0:
            return 0.0
        if place == len(self.areas):
            return self.waiting + self.in_flight
        one, other = self.areas[place - 1 : place + 1]
        area = other.waiting - one.waiting + other.in_flight - one.in_flight
        return area / (other.time - one.time)

    def _area(self, when: float) -> Area:
        place = bisect_right(self.areas, when, key=_TIME)
        if place == 0:
            return Area(when, *self.areas[0][1:])
        one = self.areas[place - 1]
        if place == len(self.areas):
            passed = when - one.time
            return Area(when, one.waiting + self.waiting * passed, one.in_flight + self.in_flight * passed)
        other = self.areas[place]
        share = (when - one.time) / (other.time - one.time)
        return Area(
            when,
            one.waiting + (other.waiting - one.waiting) * share,
            one.in_flight + (other.in_flight - one.in_flight) * share,
        )


def first_told(told: Told, now: float) -> DemandHistory:
    """The history when nothing was known before."""
    return DemandHistory((Area(now, 0.0, 0.0),), told.waiting, told.in_flight)


_TIME: Final = itemgetter(0)
