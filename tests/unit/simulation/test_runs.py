"""What goes on in a simulated service: starts, drains, refusals, and what is paid."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.simulation.cases import all_policies, case, config, run, tidegate
from tidegate.domain.outcome import Outcome
from tidegate.simulation import shapes
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.fixed import AlwaysOn
from tidegate.simulation.policies.planned import Planned
from tidegate.simulation.run import Simulation
from tidegate.simulation.seeds import seeded
from tidegate.simulation.trace import Trace

ENGINE = Engine(slots=2, start_seconds=30.0, start_spread=0.2, slowdown=0.1)


def burst(seed: int) -> Trace:
    return shapes.bursts(shapes.Bursts(0.05, 3, 300, 40), 900.0, 4.0, seeded(seed))


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("limits", [(100_000, 1e5), (12, 20.0)])
def test_each_request_ends_exactly_once(place: int, limits: tuple[int, float]) -> None:
    depth, budget = limits
    for seed in range(5):
        trace = burst(seed)
        queue = config(2, max_depth=depth, wait=budget, cold=budget)
        simulation = Simulation(case(trace, ENGINE, queue=queue), all_policies(2, 4)[place], seeded(seed))
        figures = simulation.run()
        ends = simulation.ledger.outcomes
        assert ends.total() == figures.requests == len(trace.requests)
        assert ends[Outcome.COMPLETED] + figures.refused == figures.requests
        assert simulation.gate.flow.depth == simulation.gate.flow.bytes_held == 0
        assert depth == 100_000 or figures.refused


@pytest.mark.parametrize("place", range(5))
def test_the_same_seed_gives_the_same_figures(place: int) -> None:
    first, second = (run(case(burst(3), ENGINE), all_policies(2, 4)[place], seed=7) for _ in range(2))
    assert first == second


def test_another_seed_gives_other_starts() -> None:
    waits = {run(case(burst(3), ENGINE), tidegate(2, 4), seed).wait_mean for seed in range(3)}
    assert len(waits) == 3


def test_the_first_request_waits_for_the_start_and_no_longer() -> None:
    figures = run(case([(5.0, 1.0)], Engine(slots=1, start_seconds=30.0), duration=100.0), tidegate(1, 1))
    assert figures.wait_mean == pytest.approx(30.0)
    assert (figures.cold_starts, figures.starts, figures.attainment) == (1, 1, 0.0)


def test_a_start_is_paid_from_its_first_second_and_sleep_ends_the_bill() -> None:
    """30 s of start, 1 s of work, 60 s of idle timeout, and up to a tenth until the report."""
    figures = run(case([(5.0, 1.0)], Engine(slots=1, start_seconds=30.0), duration=500.0), tidegate(1, 1))
    assert figures.replica_seconds == pytest.approx(91.0, abs=0.2)
    assert figures.decisions == 2


def test_what_runs_after_the_end_of_the_trace_is_not_paid() -> None:
    what = case([(0.0, 50.0)], Engine(slots=1, start_seconds=10.0), duration=20.0)
    assert run(what, AlwaysOn(1)).replica_seconds == pytest.approx(30.0)  # its start lies before zero


def test_a_demand_of_many_starts_as_many_as_it_needs_at_the_next_report() -> None:
    what = case([(1.0, 20.0)] * 8, Engine(slots=2, start_seconds=10.0), duration=60.0)
    simulation = Simulation(what, tidegate(2, 8, 2), seeded(1))
    figures = simulation.run()
    assert figures.starts == 4
    assert figures.wait_p99 == pytest.approx(10.1, abs=0.01)  # the report is a tenth of a second later
    assert figures.wait_p50 == pytest.approx(10.1, abs=0.2)


def test_a_worker_that_is_stopped_finishes_what_it_runs_and_is_paid_until_then() -> None:
    what = case([(0.0, 40.0)], Engine(slots=1, start_seconds=0.0), duration=100.0)
    figures = run(what, Planned([(0.0, 1), (10.0, 0)]))
    assert figures.outcomes == {"completed": 1}
    assert figures.replica_seconds == pytest.approx(40.0)


def test_the_least_busy_worker_goes_first() -> None:
    """Two workers, two requests of 40 s on each at first; the one that is done first stands empty."""
    what = case([(0.0, 40.0), (0.0, 5.0)], Engine(slots=1, start_seconds=0.0), duration=100.0)
    figures = run(what, Planned([(0.0, 2), (10.0, 1), (50.0, 0)]))
    assert figures.replica_seconds == pytest.approx(60.0)  # 10 s of the idle one, 50 s of the other


def test_what_is_started_no_more_is_dropped_before_what_serves() -> None:
    what = case([(0.0, 1.0)], Engine(slots=1, start_seconds=30.0), duration=100.0)
    figures = run(what, Planned([(0.0, 1), (10.0, 2), (20.0, 1)]))
    assert figures.replica_seconds == pytest.approx(30.0 + 100.0 + 10.0)


def test_who_waits_too_long_is_refused_by_the_budget_that_runs() -> None:
    slow = Engine(slots=1, start_seconds=30.0)
    queue = config(1, wait=10.0, cold=20.0)
    asleep = run(case([(0.0, 1.0)], slow, duration=50.0, queue=queue), tidegate(1, 1))
    busy = run(case([(0.0, 30.0), (1.0, 1.0)], slow, duration=50.0, queue=queue), AlwaysOn(1))
    assert asleep.outcomes == {"evicted_cold_start_timeout": 1}
    assert busy.outcomes == {"completed": 1, "evicted_queue_timeout": 1}


def test_the_wait_budget_counts_from_the_moment_a_worker_is_ready() -> None:
    """Two wait from 0 on; the worker is ready at 30, the second one is then refused at 40, not at 10 or
    300."""
    queue = config(1, wait=10.0, cold=300.0)
    what = case([(0.0, 100.0), (0.0, 1.0)], Engine(slots=1, start_seconds=30.0), duration=50.0, queue=queue)
    simulation = Simulation(what, tidegate(1, 1), seeded(1))
    figures = simulation.run()
    assert figures.outcomes == {"completed": 1, "evicted_queue_timeout": 1}
    assert max(until for _, until in simulation.ledger.late) == pytest.approx(40.0)


def test_a_full_queue_refuses_at_once() -> None:
    what = case([(0.0, 10.0)] * 5, Engine(slots=1), duration=50.0, queue=config(1, max_depth=3))
    assert run(what, AlwaysOn(1)).outcomes == {"completed": 3, "rejected_overload": 2}


def test_a_request_that_runs_too_long_ends_and_its_slot_is_free() -> None:
    for slowdown in (0.0, 0.1):
        queue = config(2)
        limited = type(queue)(queue.key, 0.0, ("m",), 2, max_depth=10, execution_timeout_seconds=20.0)
        what = case([(0.0, 100.0), (0.0, 5.0), (1.0, 5.0)], Engine(slots=2, slowdown=slowdown), queue=limited)
        outcomes = Counter(run(what, AlwaysOn(1)).outcomes)
        assert outcomes == {"execution_timeout": 1, "completed": 2}
