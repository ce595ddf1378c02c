"""How many workers a load needs: each metric is a pure function of what the gateways tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

EXACT: Final = 100
HEADROOM: Final = 110
"""Percent of the load for which workers are kept: what is about to be stopped must not be missed at the next
request. From 5 workers at 24 each to 4 at a load of 87 (96 with a tenth on top), back to 5 at one of 97."""


_SPARE: Final = 0.25


class Demand(Protocol):
    """What gateways tell of a service's requests."""

    @property
    def waiting(self) -> float:
        """Requests that wait for a worker."""
        ...

    @property
    def in_flight(self) -> float:
        """Requests that run."""
        ...

    @property
    def execution_seconds(self) -> float | None:
        """How long requests have run lately, on average; None: none has ended yet."""
        ...


class Metric(Protocol):
    """What is counted."""

    def workers(self, demand: Demand, percent: int = EXACT) -> int:
        """The workers that ``percent`` of this demand needs, rounded up; 0 for none."""
        ...

    def says(self, demand: Demand) -> str:
        """What was counted, for a person."""
        ...


@dataclass(frozen=True, slots=True)
class PerReplica:
    """Concurrency and RequestCount: one worker for every so many requests that wait or run."""

    requests: int = 24

    def workers(self, demand: Demand, percent: int = EXACT) -> int:
        """See Metric; 100 at 24 a worker need 5 (4.2 rounded up)."""
        depth = demand.waiting + demand.in_flight
        return _up(depth * percent / (self.requests * EXACT))

    def says(self, demand: Demand) -> str:
        """See Metric."""
        return (
            f"{demand.waiting + demand.in_flight:.3g} requests wait or run, {self.requests} for each worker"
        )


@dataclass(frozen=True, slots=True)
class Pooled:
    """Concurrency where no target is given: a quarter of one worker's ``slots`` is spare, and of n workers'
    the square root of n times as many.

    Demand that comes by chance varies by the square root of its mean, so what must be spare grows like that:
    square-root staffing (Halfin and Whitt, "Heavy-traffic limits for queues with many exponential servers",
    1981). n workers are enough for slots x (n - sqrt(n) / 4) requests: of 16 slots one is for 12, four for 56
    (87 %), nine for 132 (92 %). Never more workers than requests.
    """

    slots: int

    def workers(self, demand: Demand, percent: int = EXACT) -> int:
        """See Metric. With x = sqrt(n): the least n with x² - x/4 ≥ demand / slots."""
        depth = (demand.waiting + demand.in_flight) * percent / EXACT
        if depth <= 0:
            return 0
        root = (_SPARE + math.sqrt(_SPARE**2 + 4 * depth / self.slots)) / 2
        return max(1, min(_up(root**2), _up(depth)))

    def says(self, demand: Demand) -> str:
        """See Metric."""
        depth = demand.waiting + demand.in_flight
        return f"{depth:.3g} requests wait or run, each worker runs {self.slots}, some of it spare"


@dataclass(frozen=True, slots=True)
class QueueDelay:
    """So many workers that a request which arrives now waits ``target`` seconds at most.

    A worker of ``slots`` ends slots / execution_seconds requests a second. 60 that wait, 10 s each and 32
    slots: one worker is through with them in 18.75 s, so a target of 5 s needs 4 of them (3.75 rounded up).
    This counts what a slot does and not what the pool did, so that workers which have just been added, and
    are not yet in any rate, are not added again.
    """

    target: float
    slots: int

    def workers(self, demand: Demand, percent: int = EXACT) -> int:
        """See Metric. Those that run keep their slots, and with a slot for everybody nobody waits at all: no
        more than that, and exactly that while nothing is known of how long requests run."""
        waiting, running = (count * percent / EXACT for count in (demand.waiting, demand.in_flight))
        slots_for_all = _up((waiting + running) / self.slots)
        seconds = demand.execution_seconds
        if seconds is None:
            return slots_for_all
        in_time = _up(waiting * seconds / (self.slots * self.target))
        return max(_up(running / self.slots), min(in_time, slots_for_all))

    def says(self, demand: Demand) -> str:
        """See Metric."""
        seconds = demand.execution_seconds
        rate = "for an unknown time" if seconds is None else f"about {seconds:.3g} s"
        return (
            f"{demand.waiting:.3g} requests wait, each runs {rate}, {self.target:g} s of waiting are allowed"
        )


def _up(workers: float) -> int:
    """Rounded up, but for the last digits of a sum of floats: 2.0000000001 workers are 2."""
    return math.ceil(round(workers, 6))
