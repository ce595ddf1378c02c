from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.domain.scaling import Bounds, Counters, Load, Pool, ScaleDecision, decide_scale

NOW = 10_000.0
IDLE = Bounds(idle_timeout=180)
ONE_READY = Pool(replicas=1, ready=1, ready_since=NOW - 1000)
QUIET = Counters(busy=False, first_asked=NOW)


def decide(
    bounds: Bounds = IDLE, pool: Pool = ONE_READY, load: Load | None = None, counters: Counters | None = None
) -> ScaleDecision:
    return decide_scale(bounds, pool, load or Load(), NOW, counters)


def test_waking_from_zero_is_left_to_the_gateway() -> None:
    decision = decide(pool=Pool(replicas=0), load=Load(waiting=20))
    assert (decision.replicas, decision.recheck_after) == (0, None)


def test_a_minimum_is_kept_without_any_request() -> None:
    assert decide(Bounds(minimum=2, maximum=3), Pool(replicas=0)).replicas == 2


def test_the_maximum_holds_at_any_load() -> None:
    assert decide(Bounds(maximum=2), Pool(replicas=5), Load(waiting=1000)).replicas == 2
    assert decide(Bounds(maximum=3), load=Load(waiting=1000)).replicas == 3


@pytest.mark.parametrize(("depth", "replicas"), [(1, 1), (24, 1), (25, 2), (96, 4), (97, 5)])
def test_demand_raises_at_once_to_what_it_needs(depth: int, replicas: int) -> None:
    assert decide(Bounds(maximum=8), load=Load(waiting=depth)).replicas == replicas


def test_demand_never_lowers() -> None:
    assert (
        decide(Bounds(maximum=8), Pool(replicas=4, ready=4, ready_since=0.0), Load(in_flight=1)).replicas == 4
    )


def test_suspend_and_external_come_before_everything() -> None:
    assert decide(Bounds(minimum=1, suspended=True), load=Load(in_flight=5)).replicas == 0
    assert decide(Bounds(minimum=1, external=7), load=Load(in_flight=5)).replicas == 7
    assert decide(Bounds(external=0), load=Load(waiting=5)).replicas == 0


@pytest.mark.parametrize(
    ("ready_ago", "activity_ago", "remaining"), [(100, None, 80), (1000, 30, 150), (10, 1000, 170)]
)
def test_the_idle_clock_starts_at_the_later_of_ready_and_activity(
    ready_ago: float, activity_ago: float | None, remaining: float
) -> None:
    pool = replace(ONE_READY, ready_since=NOW - ready_ago)
    load = Load(last_activity=None if activity_ago is None else NOW - activity_ago)
    decision = decide(pool=pool, load=load)
    assert (decision.replicas, decision.recheck_after) == (1, remaining)
    assert not decision.ask_counters


def test_before_sleep_the_workers_counters_are_asked() -> None:
    decision = decide()
    assert decision.ask_counters
    assert decision.replicas == 1
    assert decide(counters=QUIET).replicas == 0


def test_a_worker_that_says_it_works_is_not_put_to_sleep() -> None:
    decision = decide(counters=Counters(busy=True, first_asked=NOW, last_busy=NOW))
    assert decision.replicas == 1
    assert decision.recheck_after == 5.0


def test_work_that_came_round_the_gateway_restarts_the_clock() -> None:
    decision = decide(counters=Counters(busy=False, first_asked=NOW - 20, last_busy=NOW - 10))
    assert decision.replicas == 1


def test_behind_a_silent_gateway_the_counters_decide_for_a_whole_idle_timeout() -> None:
    silent = Load(silent=True)
    assert decide(load=silent, counters=QUIET).replicas == 1
    assert decide(load=silent, counters=Counters(busy=False, first_asked=NOW - 180)).replicas == 0
    recently = Counters(busy=False, first_asked=NOW - 500, last_busy=NOW - 20)
    assert decide(load=silent, counters=recently).replicas == 1


def test_nothing_sleeps_where_neither_gateway_nor_worker_can_be_asked() -> None:
    unheard = Counters(busy=False, first_asked=0.0, complete=False)
    assert decide(load=Load(silent=True), counters=unheard).replicas == 1
    assert decide(counters=unheard).replicas == 0


def test_a_worker_that_loads_is_never_killed_for_being_idle() -> None:
    decision = decide(pool=Pool(replicas=1, loading=True, trying_since=0.0))
    assert (decision.replicas, decision.recheck_after) == (1, None)


def test_a_start_that_fails_is_given_up_when_nobody_has_waited_for_the_idle_timeout() -> None:
    failing = Pool(replicas=1, trying_since=NOW - 200)
    assert decide(pool=failing).replicas == 0
    assert decide(pool=replace(failing, trying_since=NOW - 100)).recheck_after == 80
    assert decide(pool=failing, load=Load(waiting=1)).replicas == 1
    assert decide(pool=failing, load=Load(last_activity=NOW - 10)).replicas == 1
    assert decide(Bounds(minimum=1), failing).replicas == 1


def test_idle_means_down_to_the_minimum() -> None:
    pool = Pool(replicas=3, ready=3, ready_since=0.0)
    assert decide(Bounds(minimum=1, maximum=3), pool, counters=QUIET).replicas == 1


BOUNDS = st.builds(
    lambda minimum, extra, idle, target: Bounds(minimum, max(1, minimum + extra), idle, target),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 600),
    st.integers(1, 50),
)
POOLS = st.builds(
    Pool,
    replicas=st.integers(0, 8),
    ready=st.integers(0, 3),
    loading=st.booleans(),
    ready_since=st.floats(0, NOW),
    trying_since=st.floats(0, NOW),
)
LOADS = st.builds(
    Load, st.integers(0, 200), st.integers(0, 200), st.none() | st.floats(0, NOW), st.booleans()
)
COUNTERS = st.none() | st.builds(
    Counters, st.booleans(), st.floats(0, NOW), st.none() | st.floats(0, NOW), st.booleans()
)


@given(BOUNDS, POOLS, LOADS, COUNTERS)
def test_every_change_ends_within_the_bounds_and_is_never_taken_back(
    bounds: Bounds, pool: Pool, load: Load, counters: Counters | None
) -> None:
    decision = decide_scale(bounds, pool, load, NOW, counters)
    if decision.replicas != pool.replicas:
        assert bounds.minimum <= decision.replicas <= bounds.maximum
    if pool.replicas == 0 and bounds.minimum == 0:
        assert decision.replicas == 0
    assert decision.recheck_after is None or decision.recheck_after > 0
    after = decide_scale(bounds, replace(pool, replicas=decision.replicas), load, NOW, counters)
    assert (after.replicas - decision.replicas) * (decision.replicas - pool.replicas) >= 0


class IdleClock(RuleBasedStateMachine):
    """Time, requests and workers move at random; the pool sleeps exactly when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.pool = Pool(replicas=0)
        self.load = Load()
        self.quiet_since = self.now

    @rule(seconds=st.integers(1, 400))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.pool.replicas == 0)
    @rule()
    def a_request_wakes_it(self) -> None:
        self.pool = Pool(replicas=1, loading=True, trying_since=self.now)
        self.load = Load(waiting=1, last_activity=self.now)

    @precondition(lambda self: self.pool.loading)
    @rule()
    def it_becomes_ready(self) -> None:
        self.pool = Pool(replicas=1, ready=1, ready_since=self.now)
        self.quiet_since = self.now

    @precondition(lambda self: self.load.depth > 0)
    @rule()
    def the_last_request_ends(self) -> None:
        self.load = Load(last_activity=self.now)
        self.quiet_since = self.now

    @precondition(lambda self: self.pool.ready)
    @rule()
    def another_request_comes(self) -> None:
        self.load = Load(in_flight=1, last_activity=self.now)

    @invariant()
    def it_sleeps_after_the_idle_timeout_and_not_before(self) -> None:
        counters = Counters(busy=self.load.in_flight > 0, first_asked=self.now)
        decision = decide_scale(IDLE, self.pool, self.load, self.now, counters)
        idle = self.load.depth == 0 and not self.pool.loading and self.now - self.quiet_since >= 180
        assert decision.replicas == (0 if self.pool.replicas == 0 or idle else 1)
        if decision.replicas == 0:
            self.pool = Pool(replicas=0)


TestIdleClock = IdleClock.TestCase
