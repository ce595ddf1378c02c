"""Traces that are made: each from its rate over time and a source of chance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Bursts:
    """``calm`` requests a second, and ``burst`` a second for ``lasting`` seconds out of ``every``; when in
    its stretch a burst begins is left to chance."""

    calm: float
    burst: float
    every: float = 900.0
    lasting: float = 120.0


def bursts(shape: Bursts, duration: float, seconds: float, chance: random.Random) -> Trace:
    """Bursts out of a calm."""
    every, lasting = shape.every, shape.lasting
    starts = [n * every + chance.random() * (every - lasting) for n in range(math.ceil(duration / every))]

    def rate(now: float) -> float:
        begin = starts[min(int(now / every), len(starts) - 1)]
        return shape.burst if begin <= now < begin + lasting else shape.calm

    return poisson(rate, max(shape.calm, shape.burst), duration, seconds, chance)


def daily(lowest: float, highest: float, duration: float, seconds: float, chance: random.Random) -> Trace:
    """A cosine over 24 hours from zero, with ``lowest`` requests a second at 3:00 and ``highest`` at
    15:00."""

    def rate(now: float) -> float:
        height = (1 - math.cos(2 * math.pi * (now / 3600 - 3) / 24)) / 2
        return lowest + (highest - lowest) * height

    return poisson(rate, highest, duration, seconds, chance)


@dataclass(frozen=True, slots=True)
class OnOff:
    """``per_second`` requests for ``on`` seconds, none for ``off`` seconds, and so on."""

    per_second: float
    on: float = 1800.0
    off: float = 3600.0


def on_off(shape: OnOff, duration: float, seconds: float, chance: random.Random) -> Trace:
    """A service that is used in stretches."""

    def rate(now: float) -> float:
        return shape.per_second if now % (shape.on + shape.off) < shape.on else 0.0

    return poisson(rate, shape.per_second, duration, seconds, chance)
