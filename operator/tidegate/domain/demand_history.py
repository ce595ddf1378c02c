"""What the gateways told over the last seconds: time-weighted means, and how demand has moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

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


@dataclass(frozen=True, slots=True)
class Span:
    """Requests that waited and ran until ``until`` (Unix seconds), on average."""

    until: float
    waiting: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Mean:
    """A demand over some time; see scaling_metrics.Demand."""

    waiting: float
    in_flight: float
    execution_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DemandHistory:
    """Demand as steps: what is told holds until the next telling. Nothing is known before ``since``, which
    counts as no demand."""

    since: float  # of what is told last
    waiting: int = 0
    in_flight: int = 0
    past: tuple[Span, ...] = ()  # one after the other
    begun: float = 0.0  # of the first span

    def then(self, told: Told, now: float, keep: float) -> DemandHistory:
        """The history one telling later; what ended more than ``keep`` seconds ago is forgotten. It begins
        anew where the clock was set back: times that are yet to come tell nothing of the past."""
        if now < self.since - GRAIN:
            return DemandHistory(now, told.waiting, told.in_flight, begun=now)
        spans = self._closed(now)
        first = next((place for place, span in enumerate(spans) if span.until > now - keep), len(spans))
        begun = spans[first - 1].until if first else self.begun
        return DemandHistory(now, told.waiting, told.in_flight, spans[first:], begun)

    def _closed(self, now: float) -> tuple[Span, ...]:
        """The spans with the last telling among them; within a grain they are one."""
        new = Span(now, self.waiting, self.in_flight)
        if now <= self.since:
            return self.past
        if not self.past:
            return (new,)
        last, begin = self.past[-1], self.past[-2].until if len(self.past) > 1 else self.begun
        if now - begin > GRAIN:
            return (*self.past, new)
        share = (now - self.since) / (now - begin)
        return (*self.past[:-1], _mixed(last, new, share))

    def mean(self, now: float, seconds: float) -> Mean:
        """The time-weighted mean over the last ``seconds``: sum of value x time it held, over ``seconds``.

        40 for 15 s of the last 60 and nothing before and after: 10.
        """
        begin, waiting, in_flight = now - seconds, 0.0, 0.0
        for until, more_waiting, more_in_flight, since in self._steps(now):
            if until <= begin:
                break
            held = until - max(since, begin)
            waiting += more_waiting * held
            in_flight += more_in_flight * held
        return Mean(waiting / seconds, in_flight / seconds)

    def known(self, now: float, seconds: float) -> float:
        """How many of the last ``seconds`` are known."""
        return min(seconds, now - self.begun)

    def depth_at(self, when: float) -> float:
        """Requests that waited or ran at that time; none before the first."""
        for until, waiting, in_flight, since in self._steps(max(when, self.since)):
            if since <= when <= until:
                return waiting + in_flight
        return 0.0

    def _steps(self, now: float) -> Iterator[tuple[float, float, float, float]]:
        """From the newest on: until when, what waited, what ran, since when."""
        yield now, self.waiting, self.in_flight, self.since
        for place in range(len(self.past) - 1, -1, -1):
            span, begin = self.past[place], self.past[place - 1].until if place else self.begun
            yield span.until, span.waiting, span.in_flight, begin


def _mixed(one: Span, other: Span, share: float) -> Span:
    """Both as one: ``share`` is that of the other in its time."""
    return Span(
        other.until,
        one.waiting + (other.waiting - one.waiting) * share,
        one.in_flight + (other.in_flight - one.in_flight) * share,
    )
