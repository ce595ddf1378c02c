"""Traces that are made: each from its rate over time and a source of chance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from tidegate.simulation.trace import Request, Trace

Rate = Callable[[float], float]  # requests a second at a time in seconds


def poisson(rate: Rate, highest: float, duration: float, seconds: float, chance: random.Random) -> Trace:
    """Arrivals of a Poisson process whose rate changes, each running an exponential time of the mean
    ``seconds``; ``highest``: a bound of the rate.

    By thinning (Lewis and Shedler, Simulation of nonhomogeneous Poisson processes by thinning, 1979).
    """
    requests: list[Request] = []
    now = chance.expovariate(highest)
    while now < duration:
        if chance.random() * highest < rate(now):
            requests.append(Request(now, seconds=chance.expovariate(1 / seconds)))
        now += chance.expovariate(highest)
    return Trace(tuple(requests), duration)


def steady(per_second: float, duration: float, seconds: float, chance: random.Random) -> Trace:
    """The same rate all the time."""
    return poisson(lambda _: per_second, per_second, duration, seconds, chance)


def bursts(  # noqa: PLR0913, PLR0917  each is a number of its own
    calm: float,
    burst: float,
    every: float,
    lasting: float,
    duration: float,
    seconds: float,
    chance: random.Random,
) -> Trace:
    """``calm`` requests a second, and ``burst`` a second for ``lasting`` seconds out of ``every``; when in
    its stretch a burst begins is left to chance."""
    starts = [n * every + chance.random() * (every - lasting) for n in range(math.ceil(duration / every))]

    def rate(now: float) -> float:
        begin = starts[min(int(now / every), len(starts) - 1)]
        return burst if begin <= now < begin + lasting else calm

    return poisson(rate, max(calm, burst), duration, seconds, chance)


def daily(lowest: float, highest: float, duration: float, seconds: float, chance: random.Random) -> Trace:
    """A cosine over 24 hours from zero, with ``lowest`` requests a second at 3:00 and ``highest`` at
    15:00."""

    def rate(now: float) -> float:
        height = (1 - math.cos(2 * math.pi * (now / 3600 - 3) / 24)) / 2
        return lowest + (highest - lowest) * height

    return poisson(rate, highest, duration, seconds, chance)


def on_off(  # noqa: PLR0913, PLR0917  each is a number of its own
    per_second: float, on: float, off: float, duration: float, seconds: float, chance: random.Random
) -> Trace:
    """``per_second`` for ``on`` seconds, nothing for ``off`` seconds, and so on."""
    return poisson(
        lambda now: per_second if now % (on + off) < on else 0.0, per_second, duration, seconds, chance
    )
