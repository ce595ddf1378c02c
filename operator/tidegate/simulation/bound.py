"""The least that any number of workers over time can cost if no request waits longer than its target.

A relaxation, solved exactly, so what it finds is a lower bound: whoever serves every request in time pays at
least this, with all arrivals known. By a time t, work E(t) has come if every request ran at once, and L(t)
must be done if every one began as late as it may. A plan of n(t) workers with c slots can only have done X(t)
with

    L(t) ≤ X(t) ≤ E(t)   and   X(b) - X(a) ≤ c · ∫ n over [a, b],

which forgets which request runs where: work may be split over slots and moved between workers for nothing. It
costs ∫ n + S for each start (of S seconds). Time goes in steps of ``step`` seconds and n changes between
steps only: any plan becomes one of these by beginning each worker's time up to a step earlier and ending it
up to a step later, so each start is charged S - 2·step here. Draining and requests that go round are free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from tidegate.simulation.engine import Engine
from tidegate.simulation.work_curve import earliest, latest


class Change(NamedTuple):
    """From ``time`` on (seconds) ``workers`` serve; ``before``: the change before this one."""

    time: float
    workers: int
    before: Change | None


class Point(NamedTuple):
    """One way to come to a number of workers: what it has cost (seconds), the work that has come and is not
    done (seconds), and its changes."""

    cost: float
    behind: float
    changes: Change | None


Front = list[Point]  # costs ascend, what is behind falls: no point is worse than another in both


@dataclass(frozen=True, slots=True)
class Bound:
    """``replica_seconds``: nobody who serves all in time pays less; ``steps``: when how many serve in the
    plan that it was found with (which may not be carried out as it is: it is of the relaxation)."""

    replica_seconds: float
    steps: tuple[tuple[float, int], ...]


def lower_bound(  # noqa: PLR0913, PLR0917  the case, and how finely it is looked at
    arrivals: Sequence[tuple[float, float]],
    engine: Engine,
    duration: float,
    target: float,
    maximum: int,
    step: float = 1.0,
) -> Bound | None:
    """The bound for up to ``maximum`` workers; None: even with them all somebody waits longer than
    ``target``."""
    begun = [each for each in arrivals if each[0] < duration]
    slowest = engine.stretch(engine.slots)
    come, due = earliest(begun), latest(begun, target, slowest)
    charge = max(0.0, engine.start_seconds * (1 - engine.start_spread) - 2 * step)
    per_worker = engine.slots / slowest * step
    fronts: list[Front] = [[Point(0.0, 0.0, None)], *([] for _ in range(maximum))]
    done_by = 0.0
    for number in range(math.ceil(duration / step)):
        begin, end = number * step, min((number + 1) * step, duration)
        come_by = come.at(end)
        # Paces differ where many slow each other down: then what is due may be measured in slower seconds.
        room = come_by - due.at(end) / slowest
        fronts = _advanced(
            _changed(fronts, begin, charge), end - begin, come_by - done_by, room, per_worker / step
        )
        done_by = come_by
        if not any(fronts):
            return None
    return _cheapest(fronts)


def _cheapest(fronts: list[Front]) -> Bound:
    best = min((front[0] for front in fronts if front), key=lambda point: point.cost)
    steps: list[tuple[float, int]] = []
    change = best.changes
    while change is not None:
        steps.append((change.time, change.workers))
        change = change.before
    return Bound(best.cost, tuple(reversed(steps)))


def _changed(fronts: list[Front], time: float, charge: float) -> list[Front]:
    """Every way to another number of workers: more cost their starts, fewer nothing."""
    up: list[Front] = []
    below: Front = []
    for workers, front in enumerate(fronts):
        dearer = [_moved(point, charge, time, workers) for point in below]
        below = _merged(front, dearer)
        up.append(below)
    above: Front = []
    for workers in range(len(up) - 1, -1, -1):
        above = _merged(up[workers], [_moved(point, 0.0, time, workers) for point in above])
        up[workers] = above
    return up


def _moved(point: Point, charge: float, time: float, workers: int) -> Point:
    cost, behind, changes = point
    before = changes.before if changes is not None and changes.time == time else changes
    return Point(cost + charge, behind, Change(time, workers, before))


def _merged(one: Front, other: Front) -> Front:
    """The points of both that no other one beats."""
    if not other:
        return one
    kept: Front = []
    least = math.inf
    for point in sorted((*one, *other), key=_cost_and_behind):
        if point.behind < least:
            kept.append(point)
            least = point.behind
    return kept


_cost_and_behind = itemgetter(0, 1)  # of equal points either will do


def _advanced(fronts: list[Front], seconds: float, come: float, room: float, slots: float) -> list[Front]:
    """One step later: ``come`` is new, and at most ``room`` may be left undone."""
    after: list[Front] = []
    for workers, front in enumerate(fronts):
        price, done, kept = workers * seconds, workers * slots * seconds, []
        for cost, behind, changes in front:
            left = behind + come - done
            if left <= room + _ROUNDING:
                kept.append(Point(cost + price, max(left, 0.0), changes))
                if left <= 0.0:
                    break  # dearer ones are no further
        after.append(kept)
    return after


_ROUNDING = 1e-6  # of sums of many floats
