"""How many workers demand asks for now, soon enough for a load that stays and not at all for one that passes.

A worker that is started now serves in ``start`` seconds, so a start is for what will be there then:

- Nobody is ready: what waits has nobody else. All it needs is started at once, in one step. What comes while
  they start counts only as far as it would keep them busy for longer than a newcomer comes after them.
- Backlog: what waits would keep the pool, with those that start, busy for longer than a start.
- Panic: requests have waited, and more workers been needed, for a tenth of a start and for as long as a
  request runs; those of a passing spike have begun to go by then. What counts is what waits and runs, and the
  concurrency that the arrivals of that time sustain (Little: arrivals a second x seconds each).
- Stable: the mean of the last minute needs more.

Panic and Stable leave out what waits where it has been on its way out fast enough to be gone by the end of a
start. Two windows, stable and panic, are the idea of Knative's autoscaler
(https://knative.dev/docs/serving/autoscaling/kpa-specific/), whose second one is a tenth of the first; here
it is a tenth of a start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tidegate.domain.demand_history import DemandHistory, Mean, first_told
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scale_facts import Facts, Load, Wanted

STABLE: Final = 60.0  # seconds
SHORTEST: Final = 2.0  # seconds; reports are a tenth apart, and pods' times are whole seconds
LOOK: Final = 1.0  # seconds between two looks while demand asks for more than there is


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is remembered of demand; ``since``: when requests began to wait for more workers than there are,
    None: they do not."""

    history: DemandHistory
    since: float | None = None

    def then(self, facts: Facts) -> Pressure:
        """One look later."""
        pressed = facts.load.waiting > 0 and facts.bounds.metric.workers(facts.load) > facts.pool.replicas
        since = min(facts.now, self.since or facts.now) if pressed else None
        return Pressure(self.history.then(facts.load, facts.now, STABLE), since)


def first_pressure(facts: Facts) -> Pressure:
    """When nothing is remembered."""
    return Pressure(first_told(facts.load, facts.now))


def wanted(facts: Facts, pressure: Pressure) -> Wanted:
    """The workers that demand asks for, and by which window; bounds are not heeded here."""
    bounds, load, start = facts.bounds, facts.load, facts.pool.start_seconds
    if start is None or load.silent:  # nothing to compare with: what is seen is acted on
        return Wanted(bounds.metric.workers(load), "Instant", load)
    if not facts.pool.ready:
        return Wanted(_while_starting(facts, start), "Instant", load)
    window = panic_window(start, load.execution_seconds)
    slope = (load.depth - pressure.history.depth_at(facts.now - window)) / window
    leaving = load.waiting + slope * start <= 0
    found = [_stable(facts, pressure, leaving), Wanted(_busy_for(facts, start), "Backlog", load)]
    if pressure.since is not None and facts.now - pressure.since >= window and not leaving:
        found += _panic(bounds, load, slope)
    return max(found, key=lambda each: each.workers)


def panic_window(start: float, execution_seconds: float | None) -> float:
    """Seconds for which more must have been needed: a tenth of a start, which delays what is worth a start by
    no more, and as long as a request runs, after which those of a spike go."""
    runs = min(execution_seconds or 0.0, start, STABLE)
    return max(SHORTEST, min(start / 10, STABLE), runs)


def _while_starting(facts: Facts, start: float) -> int:
    """A newcomer is ready so much later than those that start as these have been starting for: at most one
    start, for a worker that begins anew after days has not been starting for days."""
    begun = facts.pool.oldest or facts.pool.trying_since or facts.now
    return _busy_for(facts, min(facts.now - begun, start) - max(SHORTEST, start / 10))


def _busy_for(facts: Facts, seconds: float) -> int:
    """Workers that what waits keeps busy for so long, rounded up: requests x time each / (slots x time).
    No more than the metric asks for, and as many where nothing is known of how long requests run.

    500 that run 5 s each, 32 slots, 60 s: 500 x 5 / (32 x 60) = 1.3, so 2.
    """
    needed, runs = facts.bounds.metric.workers(facts.load), facts.load.execution_seconds
    if runs is None or seconds <= 0:
        return needed
    busy = facts.load.waiting * runs / (facts.bounds.slots * seconds)
    return min(needed, math.ceil(round(busy, 6)))


def _stable(facts: Facts, pressure: Pressure, leaving: bool) -> Wanted:
    mean = pressure.history.mean(facts.now, STABLE)
    counted = Mean(0.0 if leaving else mean.waiting, mean.in_flight, facts.load.execution_seconds)
    return Wanted(facts.bounds.metric.workers(counted), "Stable", counted)


def _panic(bounds: Bounds, load: Load, slope: float) -> list[Wanted]:
    sustained = load.in_flight + (load.execution_seconds or 0.0) * max(0.0, slope)
    rate = Mean(0.0, sustained, load.execution_seconds)
    return [Wanted(bounds.metric.workers(each), "Panic", each) for each in (load, rate)]
