"""Where queueing theory knows the answer, the simulator gives it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pytest

from tests.unit.simulation.cases import case, run
from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.fixed import AlwaysOn
from tidegate.simulation.run import Simulation
from tidegate.simulation.seeds import seeded

RUNS = 20
SERVICE = 1.0  # seconds


def erlang_c(servers: int, offered: float) -> float:
    """The probability that an arrival waits in an M/M/c queue (Erlang 1917); ``offered``: load in servers."""
    top = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return top / (sum(offered**k / math.factorial(k) for k in range(servers)) + top)


def mean_and_error(one: Callable[[int], float]) -> tuple[float, float]:
    """Over independent runs: the mean, and its standard error."""
    values = [one(seed) for seed in range(RUNS)]
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(RUNS)


@pytest.mark.parametrize(
    ("workers", "slots", "load"), [(1, 1, 0.5), (1, 1, 0.8), (1, 4, 0.7), (3, 1, 0.8), (2, 4, 0.9)]
)
def test_waits_of_random_arrivals_are_those_of_erlang_c(workers: int, slots: int, load: float) -> None:
    servers = workers * slots
    offered = load * servers
    expected = erlang_c(servers, offered) * SERVICE / (servers - offered)

    def mean_wait(seed: int) -> float:
        trace = shapes.steady(offered / SERVICE, 3000.0, SERVICE, seeded(seed))
        return run(case(trace, Engine(slots=slots)), AlwaysOn(workers)).wait_mean

    mean, error = mean_and_error(mean_wait)
    assert abs(mean - expected) < 3 * error + 0.02 * expected
    assert error < 0.15 * expected  # the bounds would catch a queue that is a third too long


def test_the_share_that_waits_at_all_is_erlangs_too() -> None:
    def share(seed: int) -> float:
        trace = shapes.steady(3.2, 3000.0, SERVICE, seeded(seed))
        return 1 - run(case(trace, Engine(slots=4), target=0.0), AlwaysOn(1)).attainment

    mean, error = mean_and_error(share)
    assert abs(mean - erlang_c(4, 3.2)) < 3 * error + 0.005


def test_requests_that_slow_each_other_down_wholly_are_a_processor_that_is_shared() -> None:
    """With a slowdown of 1 a worker gets through the same work whatever runs: M/M/1 with processor sharing,
    in which a request stays s / (1 - load) seconds on average (Kleinrock 1967)."""

    def mean_stay(seed: int) -> float:
        trace = shapes.steady(0.7, 3000.0, SERVICE, seeded(seed))
        what = case(trace, Engine(slots=1000, slowdown=1.0))
        simulation = Simulation(what, AlwaysOn(1), seeded(seed))
        simulation.run()
        return simulation.gate.depth_seconds() / len(what.arrivals)  # Little's law

    mean, error = mean_and_error(mean_stay)
    assert abs(mean - SERVICE / 0.3) < 3 * error + 0.05
    assert error < 0.4


def test_two_that_run_together_each_take_as_much_longer_as_the_engine_says() -> None:
    what = case([(0.0, 10.0), (0.0, 10.0)], Engine(slots=2, slowdown=0.5), duration=1.0)
    simulation = Simulation(what, AlwaysOn(1), seeded(1))
    simulation.run()
    assert simulation.loop.now == pytest.approx(15.0)  # 10 s, half as long again
    assert simulation.gate.depth_seconds() == pytest.approx(30.0)
