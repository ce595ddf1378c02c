"""Nobody serves all in time for less than the bound, and the bound is not far below what can be had."""

from __future__ import annotations

import itertools

import pytest

from tests.unit.simulation.cases import all_policies, case, run
from tidegate.simulation import shapes
from tidegate.simulation.bound import lower_bound
from tidegate.simulation.clairvoyant import carried_out
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.fixed import AlwaysOn
from tidegate.simulation.policies.planned import Planned
from tidegate.simulation.run import Case
from tidegate.simulation.seeds import seeded

TARGET = 2.0


def bound_of(what: Case, maximum: int, step: float = 1.0) -> float:
    found = lower_bound(what.arrivals, what.engine, what.duration, what.target, maximum, step)
    assert found is not None
    return found.replica_seconds


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("slowdown", [0.0, 0.1])
def test_no_policy_that_serves_all_in_time_pays_less(seed: int, slowdown: float) -> None:
    engine = Engine(slots=2, start_seconds=10.0, slowdown=slowdown)
    trace = shapes.on_off(shapes.OnOff(0.8, 60, 120), 600.0, 3.0, seeded(seed))
    what = case(trace, engine)
    bound = bound_of(what, 6)
    found = lower_bound(what.arrivals, engine, what.duration, TARGET, 6)
    assert found is not None
    plan = carried_out(what, found, 6, seed).figures
    constant = [run(what, AlwaysOn(count)) for count in range(1, 7)]
    for figures in (plan, *constant, *(run(what, policy) for policy in all_policies(2, 6))):
        assert figures.attainment < 1.0 or figures.replica_seconds >= bound - 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_on_a_case_that_can_be_searched_through_the_bound_is_below_the_best_and_near_it(seed: int) -> None:
    """Up to two workers of one slot, asked for anew every 10 s over a minute: all 729 plans are carried
    out."""
    chance = seeded(seed)
    engine = Engine(slots=1, start_seconds=10.0)
    arrivals = sorted((chance.uniform(12, 45), chance.uniform(3, 9)) for _ in range(4))
    what = case(arrivals, engine, duration=60.0, target=6.0)
    served = []
    for counts in itertools.product(range(3), repeat=6):
        figures = run(what, Planned([(10.0 * place, count) for place, count in enumerate(counts)]))
        if figures.attainment == 1.0:
            served.append(figures.replica_seconds)
    bound = bound_of(what, 2)
    assert min(served) * 0.5 <= bound <= min(served)


def test_one_request_costs_its_start_and_its_seconds() -> None:
    """60 s of start, 30 s of work: 90 s in truth. The bound forgives two steps, and the last two seconds,
    which may lie behind."""
    what = case([(100.0, 30.0)], Engine(slots=4, start_seconds=60.0), duration=200.0)
    assert bound_of(what, 3) == pytest.approx(86.0)
    assert bound_of(what, 3, 0.5) == pytest.approx(87.0)


def test_a_full_pool_costs_its_work() -> None:
    """Eight at once on four slots for 100 s: two workers."""
    what = case([(10.0, 100.0)] * 8, Engine(slots=4, start_seconds=20.0), duration=110.0)
    assert bound_of(what, 3) == pytest.approx(2 * (100 + 20), abs=8.0)


def test_a_short_gap_is_bridged_and_a_long_one_is_slept_through() -> None:
    def cost(gap: float) -> float:
        arrivals = [(0.0, 30.0)] * 4 + [(30.0 + gap, 30.0)] * 4
        return bound_of(case(arrivals, Engine(slots=4, start_seconds=60.0), duration=60.0 + gap), 2)

    assert cost(20.0) == pytest.approx(60 + 80, abs=6.0)
    assert cost(500.0) == pytest.approx(2 * 60 + 60, abs=8.0)


def test_where_not_even_all_workers_serve_in_time_there_is_no_bound() -> None:
    what = case([(0.0, 30.0)] * 9, Engine(slots=4), duration=60.0)
    assert lower_bound(what.arrivals, what.engine, what.duration, TARGET, 2) is None
    assert lower_bound(what.arrivals, what.engine, what.duration, TARGET, 3) is not None


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_that_is_carried_out_serves_all_in_time(seed: int) -> None:
    trace = shapes.bursts(shapes.Bursts(0.3, 2, 300, 60), 1200.0, 5.0, seeded(seed))
    what = case(trace, Engine(slots=4, start_seconds=20.0))
    bound = lower_bound(what.arrivals, what.engine, what.duration, TARGET, 8)
    assert bound is not None
    plan = carried_out(what, bound, 8, 1)
    assert plan.figures.attainment == 1.0
    assert plan.figures.replica_seconds < 1.6 * bound.replica_seconds


def test_a_finer_step_finds_a_higher_bound() -> None:
    trace = shapes.steady(1.0, 900.0, 5.0, seeded(1))
    what = case(trace, Engine(slots=2, start_seconds=30.0))
    assert bound_of(what, 8, 4.0) <= bound_of(what, 8, 1.0)
