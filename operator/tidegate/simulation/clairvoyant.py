"""A plan for those who know every arrival, carried out in the simulator: what can be had, beside what must be
paid.

The bound's own plan is of a relaxation: carried out, some requests wait too long. So one worker more is
planned for the time in which each of those waited, until nobody waits too long. The best plan of all lies
between this one and the bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.simulation.bound import Bound
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.planned import Planned
from tidegate.simulation.run import Case, Simulation
from tidegate.simulation.seeds import seeded

ROUNDS: Final = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What was carried out, and the figures that it came to."""

    steps: tuple[tuple[float, int], ...]  # when how many are asked for
    figures: Figures


def carried_out(case: Case, bound: Bound, maximum: int, seed: int) -> Plan:
    """A plan in which as few as possible wait longer than the target (none, unless ROUNDS were not
    enough)."""
    serving = _by_second(bound.steps, math.ceil(case.duration) + 1)
    best: Plan | None = None
    for _ in range(ROUNDS):
        _fill_valleys(serving, maximum, case.engine.start_seconds)
        steps = _asked(serving, math.ceil(case.engine.start_seconds * (1 + case.engine.start_spread)))
        simulation = Simulation(case, Planned(steps), seeded(seed))
        figures = simulation.run()
        if best is None or figures.attainment > best.figures.attainment:
            best = Plan(steps, figures)
        if not simulation.ledger.late or not _raise(serving, simulation.ledger.late, maximum):
            break
    if best is None:
        raise ValueError("no round was carried out")
    return best


def _by_second(steps: Iterable[tuple[float, int]], seconds: int) -> list[int]:
    """The workers that serve in each second."""
    serving = [0] * seconds
    for time, workers in steps:
        first = int(time)
        serving[first:] = [workers] * (seconds - first)
    return serving


def _raise(serving: list[int], late: Iterable[tuple[float, float]], maximum: int) -> bool:
    """One more in each second in which a late request waited; False: nothing can be raised."""
    seconds = {second for begin, end in late for second in range(max(0, int(begin) - 1), int(end) + 1)}
    open_ = [second for second in seconds if second < len(serving) and serving[second] < maximum]
    for second in open_:
        serving[second] += 1
    return bool(open_)


def _fill_valleys(serving: list[int], maximum: int, start: float) -> None:
    """A worker that would be started again within the time of a start stays: it costs less."""
    last: list[int | None] = [None] * (maximum + 1)  # for each level the second that needed it last
    for second, workers in enumerate(list(serving)):
        for level in range(1, workers + 1):
            before = last[level]
            if before is not None and 1 < second - before <= start:
                for gap in range(before + 1, second):
                    serving[gap] = max(serving[gap], level)
            last[level] = second


def _asked(serving: Sequence[int], start: int) -> tuple[tuple[float, int], ...]:
    """When how many are asked for, so that as many serve: each a start earlier."""
    steps: list[tuple[float, int]] = []
    for second in range(len(serving)):
        asked = max(serving[second : second + start + 1])
        if not steps or steps[-1][1] != asked:
            steps.append((float(second), asked))
    return tuple(steps)
