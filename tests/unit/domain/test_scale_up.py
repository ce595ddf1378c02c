"""Demand over windows: at once from zero, soon for a load that stays, never for a spike that passes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.demand_history import first_told
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scale_up import panic_window
from tidegate.domain.scaling import Load, Pool
from tidegate.domain.scaling_metrics import Metric, PerReplica, Pooled, QueueDelay

NOW = 10_000.0
START = 60.0
BOUNDS = Bounds(maximum=8, metric=PerReplica(24), slots=32)
WARM = Pool(replicas=1, ready=1, ready_since=NOW - 1000, oldest=NOW - 1060, start_seconds=START)
METRICS: st.SearchStrategy[Metric] = st.builds(PerReplica, st.integers(1, 50))
METRICS |= st.builds(Pooled, st.integers(1, 64))
METRICS |= st.builds(QueueDelay, st.floats(0.1, 100), st.integers(1, 50))


def looked(
    loads: list[tuple[float, Load]], bounds: Bounds = BOUNDS, pool: Pool = WARM
) -> list[tuple[float, int, str | None]]:
    """When the number was raised, to what and over which window; each started worker stays on its way."""
    memory, raised, replicas = Memory(), [], pool.replicas
    for at, load in loads:
        seen = replace(pool, replicas=replicas, loading=replicas > pool.ready)
        decision, memory = decide(bounds, seen, load, NOW + at, memory)
        if decision.replicas > replicas:
            replicas = decision.replicas
            raised.append((at, replicas, decision.window))
    return raised


def constant(load: Load, seconds: int) -> list[tuple[float, Load]]:
    return [(float(second), load) for second in range(seconds)]


def test_while_nobody_is_ready_what_waits_gets_all_it_needs_in_one_step() -> None:
    woken = Pool(replicas=1, loading=True, oldest=NOW, trying_since=NOW, start_seconds=START)
    burst = Load(waiting=150, execution_seconds=5.0)
    assert looked([(0.3, burst)], pool=woken) == [(0.3, 7, "Instant")]


def test_what_those_that_start_will_be_through_with_before_another_is_ready_starts_no_more() -> None:
    """Started 40 s ago, of which 6 are let pass: a newcomer is ready 34 s after it. 100 of 5 s each are
    through in 100 x 5 / 32 = 15.6 s, 300 in 46.9, for which two are busy enough."""
    woken = Pool(replicas=1, loading=True, oldest=NOW - 40, trying_since=NOW - 40, start_seconds=START)
    assert looked([(0.0, Load(waiting=100, execution_seconds=5.0))], pool=woken) == []
    assert looked([(0.0, Load(waiting=300, execution_seconds=5.0))], pool=woken) == [(0.0, 2, "Instant")]


def test_a_worker_that_begins_anew_after_days_is_a_start_away_and_not_days_less() -> None:
    """A newcomer is later by 54 s at most, for which 800 x 5 s / 32 slots keep 2.3 busy."""
    fallen = Pool(replicas=1, loading=True, oldest=NOW - 200_000, start_seconds=START)
    assert looked([(0.0, Load(waiting=800, execution_seconds=5.0))], pool=fallen) == [(0.0, 3, "Instant")]


def test_a_clock_that_is_set_back_begins_the_history_anew() -> None:
    """By an hour: for as long the mean would be of times to come, and no panic be old enough."""
    history = first_told(Load(10, 32), NOW)
    for second in range(1, 60):
        history = history.then(Load(10, 32), NOW + second, 120)
    for second in range(60):
        history = history.then(Load(10, 32), NOW + second - 3600, 120)
        assert history.mean(NOW + second - 3600, 60).in_flight >= 0
        assert history.known(NOW + second - 3600, 60) == second
    pressed = [(seconds, Load(40, 32, execution_seconds=5.0)) for seconds in (0, 1, -3600, -3597, -3593)]
    assert [at for at, *_ in looked([(float(at), load) for at, load in pressed])] == [-3593]


def test_a_spike_that_is_over_before_a_worker_could_be_ready_starts_none() -> None:
    """60 at once, 5 s each, 32 slots: 6.4 end in a second, so all have gone after ten."""
    loads = [
        (
            tenth / 10,
            Load(
                max(0, int(60 - 0.64 * tenth) - 32), min(32, max(0, int(60 - 0.64 * tenth))), NOW, False, 5.0
            ),
        )
        for tenth in range(100)
    ]
    assert looked(loads + [(10.0 + second, Load(execution_seconds=5.0)) for second in range(90)]) == []


def test_what_waits_for_longer_than_a_start_is_acted_on_at_once() -> None:
    """500 x 5 s / 32 slots = 78 s, more than the 60 s of a start; two would be busy for one."""
    assert looked([(0.0, Load(500, 32, execution_seconds=5.0))]) == [(0.0, 2, "Backlog")]


def test_a_rate_that_stays_is_acted_on_after_the_panic_window() -> None:
    """8 a second of 5 s each keep 40 busy. More wait from 5 s on; a tenth of a start is 6 s."""
    loads = [
        (tenth / 10, Load(max(0, int(0.8 * tenth) - 32), min(32, int(0.8 * tenth)), execution_seconds=5.0))
        for tenth in range(200)
    ]
    (first, *_) = looked(loads)
    assert first[2] == "Panic"
    assert 6.0 < first[0] <= 11.0


def test_the_mean_of_a_minute_is_acted_on_where_nobody_waits() -> None:
    """26 of 32 slots: nobody waits; 24 is the target. 26 for 56 of 60 seconds is 24.3 on average."""
    assert looked(constant(Load(in_flight=26, execution_seconds=5.0), 60)) == [(56.0, 2, "Stable")]


def test_without_a_known_start_what_is_seen_is_acted_on() -> None:
    pool = replace(WARM, start_seconds=None)
    assert looked([(0.0, Load(in_flight=25))], pool=pool) == [(0.0, 2, "Instant")]


@given(METRICS, st.integers(0, 300), st.integers(0, 300), st.none() | st.floats(0.05, 300), st.floats(1, 900))
def test_at_a_constant_load_it_has_what_it_needs_in_the_end_and_then_stays(
    metric: Metric, waiting: int, in_flight: int, runs: float | None, start: float
) -> None:
    bounds = Bounds(maximum=6, metric=metric, slots=16, scale_down_delay=30)
    load = Load(waiting, in_flight, execution_seconds=runs)
    replicas, memory, numbers = 1, Memory(), []
    for second in range(0, 400, 2):
        pool = Pool(replicas, ready=replicas, ready_since=NOW - 1000, start_seconds=start)
        decision, memory = decide(bounds, pool, load, NOW + second, memory)
        replicas = decision.replicas or 1
        numbers.append(replicas)
    assert numbers == sorted(numbers)
    assert numbers[-1] >= min(6, metric.workers(load))


@given(
    METRICS,
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=20),
    st.integers(0, 20),
)
def test_more_demand_never_asks_for_fewer(metric: Metric, told: list[tuple[int, int]], more: int) -> None:
    bounds, found = Bounds(maximum=50, metric=metric, slots=16), []
    for extra in (0, more):
        memory = Memory()
        for second, (waiting, in_flight) in enumerate(told):
            last = extra if second == len(told) - 1 else 0
            load = Load(waiting + last, in_flight, execution_seconds=4.0)
            decision, memory = decide(bounds, replace(WARM, start_seconds=20.0), load, NOW + second, memory)
        found.append(decision.replicas)
    assert found[0] <= found[1]


@given(
    METRICS, st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.floats(0.1, 90)), max_size=20)
)
def test_it_never_leaves_its_bounds_and_equal_facts_are_decided_equally(
    metric: Metric, told: list[tuple[int, int, float]]
) -> None:
    bounds = Bounds(minimum=1, maximum=4, metric=metric, slots=16, scale_down_delay=20)
    one, other, now = Memory(), Memory(), NOW
    for waiting, in_flight, passed in told:
        now += passed
        load = Load(waiting, in_flight, execution_seconds=3.0)
        decision, one = decide(bounds, replace(WARM, replicas=2, ready=2), load, now, one)
        again, other = decide(bounds, replace(WARM, replicas=2, ready=2), load, now, other)
        assert 1 <= decision.replicas <= 4
        assert (decision, one) == (again, other)


def test_a_load_on_the_edge_does_not_flap() -> None:
    """Twelve and thirteen by turns, where twelve are for one worker: it has two, and keeps them."""
    bounds = Bounds(maximum=8, metric=PerReplica(12), slots=16, scale_down_delay=30)
    replicas, memory, changes = 1, Memory(), 0
    for second in range(1200):
        load = Load(in_flight=12 + second // 40 % 2, execution_seconds=5.0)
        pool = Pool(replicas, ready=replicas, ready_since=NOW - 1000, start_seconds=START)
        decision, memory = decide(bounds, pool, load, NOW + second, memory)
        changes += decision.replicas != replicas
        replicas = decision.replicas
    assert (replicas, changes) == (2, 1)


def test_the_panic_window_is_a_tenth_of_a_start_and_as_long_as_a_request_runs() -> None:
    assert panic_window(300.0, 5.0) == 30.0
    assert panic_window(60.0, 20.0) == 20.0
    assert panic_window(10.0, 200.0) == 10.0
    assert panic_window(5.0, None) == 2.0


def test_a_pools_spare_grows_with_the_square_root_of_its_size() -> None:
    metric = Pooled(16)
    assert [metric.workers(Load(in_flight=count)) for count in (0, 1, 12, 13, 56, 57, 132, 133)] == [
        0, 1, 1, 2, 4, 5, 9, 10,
    ]  # fmt: skip
