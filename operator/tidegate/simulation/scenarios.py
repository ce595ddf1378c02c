"""The named scenarios: the conversation trace at three load levels, and three shapes that are made."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Final

from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.scenario import Scenario
from tidegate.simulation.seeds import seeded
from tidegate.simulation.service import default_bounds, service
from tidegate.simulation.trace import Trace
from tidegate.simulation.work_curve import earliest

SEED: Final = 20231116
TARGET_SECONDS: Final = 2.0
MAXIMUM: Final = 12
SLOTS: Final = 16
ENGINE: Final = Engine(slots=SLOTS)
"""A model of the 70B class on one worker of several GPUs: 60 s to start, 50 ms a token (20 tokens a second
for each reader), 0.3 ms a token of the prompt, 16 requests at once."""
LEVELS: Final = {"conversation 10 %": 0.1, "conversation 33 %": 0.33, "conversation 100 %": 1.0}
REQUEST_SECONDS: Final = 10.0  # of the made shapes: what the conversation's requests take on average
HOUR: Final = 3600.0
FIRST_SECONDS: Final = 300.0


def conversation(trace: Trace) -> list[Scenario]:
    """The trace with all its requests, and thinned to two smaller numbers of users.

    It is an hour out of the day of a service that runs, so every policy begins with the workers that the load
    of its first minutes needs.
    """
    return [_level(name, trace, share) for name, share in LEVELS.items()]


def _level(name: str, trace: Trace, share: float) -> Scenario:
    thinned = trace if share == 1 else trace.thinned(share, _chance(name))
    scenario = _scenario(name, thinned, ((0.0, trace.duration),))
    load = earliest(scenario.case.arrivals).at(FIRST_SECONDS) / FIRST_SECONDS
    return replace(scenario, initial=math.ceil(load / scenario.per_worker))


def made() -> list[Scenario]:
    """Bursts, a daily curve, on and off."""
    seconds = REQUEST_SECONDS
    bursts = shapes.bursts(shapes.Bursts(0.5, 8), 4 * HOUR, seconds, _chance("bursts"))
    daily = shapes.daily(0.2, 6, 24 * HOUR, seconds, _chance("daily curve"))
    on_off = shapes.on_off(shapes.OnOff(4), 6 * HOUR, seconds, _chance("on-off"))
    on = tuple((begin, begin + 1800) for begin in range(0, int(6 * HOUR), 5400))
    return [
        _scenario("bursts", bursts, ((0.0, 4 * HOUR),)),
        _scenario("daily curve", daily, ((9 * HOUR, 21 * HOUR),)),
        _scenario("on-off", on_off, on),
    ]


def _scenario(name: str, trace: Trace, busy: tuple[tuple[float, float], ...]) -> Scenario:
    bounds = default_bounds(SLOTS, MAXIMUM)
    return Scenario(name, trace, ENGINE, bounds, service(SLOTS), TARGET_SECONDS, busy)


def _chance(name: str) -> random.Random:
    return seeded(f"{SEED} {name}")
