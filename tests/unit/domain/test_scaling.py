from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision, decide_scale, kept_for
from tidegate.domain.scaling_metrics import HEADROOM, PerReplica, QueueDelay
from tidegate.domain.schedule import Minimum
from tidegate.domain.surplus import NeedHistory

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


def test_what_ends_on_workers_that_leave_needs_no_other_worker_and_keeps_the_service_awake() -> None:
    moving = Load(in_flight=48, leaving=24)
    assert decide(Bounds(maximum=8), load=moving).replicas == 1
    assert decide(Bounds(maximum=8), load=replace(moving, waiting=1)).replicas == 2
    last = decide(load=Load(in_flight=1, leaving=1, last_activity=NOW - 1000))
    assert (last.replicas, last.reason) == (1, "Demand")


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


SCHEDULED = Bounds(maximum=4, scheduled=Minimum(2, NOW + 3600))


def test_a_schedule_wakes_what_sleeps_at_its_start() -> None:
    decision = decide(SCHEDULED, Pool(replicas=0))
    assert (decision.replicas, decision.reason) == (2, "Schedule")


def test_a_schedule_keeps_its_workers_awake_and_is_looked_at_again_at_its_end() -> None:
    decision = decide(SCHEDULED, Pool(replicas=2, ready=2, ready_since=0.0), counters=QUIET)
    assert (decision.replicas, decision.recheck_after) == (2, 3600)
    idle = decide(SCHEDULED, Pool(replicas=3, ready=3, ready_since=0.0), counters=QUIET)
    assert (idle.replicas, idle.reason) == (2, "Idle")


def test_a_service_that_sleeps_is_looked_at_again_when_its_schedule_begins() -> None:
    before = Bounds(scheduled=Minimum(0, NOW + 60))
    assert decide(before, Pool(replicas=0)) == ScaleDecision(0, "Idle", "the next request wakes it", 60)
    far = Bounds(scheduled=Minimum(0, NOW + 86400))
    assert decide(far, Pool(replicas=0)).recheck_after == 3600, "the machine's clock may be set meanwhile"


def test_the_larger_of_minimum_and_schedule_holds() -> None:
    assert decide(replace(SCHEDULED, minimum=3), Pool(replicas=0)).replicas == 3
    assert decide(replace(SCHEDULED, minimum=3), Pool(replicas=0)).reason == "MinReplicas"


def test_suspend_and_external_are_above_every_schedule() -> None:
    for bounds, replicas in ((replace(SCHEDULED, suspended=True), 0), (replace(SCHEDULED, external=1), 1)):
        decision = decide(bounds, Pool(replicas=0))
        assert (decision.replicas, decision.recheck_after) == (replicas, None)


FOUR = Pool(replicas=4, ready=4, ready_since=NOW - 1000)
EIGHT = Bounds(maximum=8, scale_down_delay=60)


def needed(current: int, *past: tuple[float, int]) -> Pool:
    return replace(FOUR, needed=NeedHistory(current, past))


@pytest.mark.parametrize(
    ("pool", "replicas", "recheck"),
    [
        (needed(1), 1, None),
        (needed(2), 2, None),
        (needed(0), 1, None),  # sleep is the idle timeout's business
        (needed(1, (NOW - 50, 3)), 3, 10.0),  # three were needed within the delay
        (needed(1, (NOW - 50, 4)), 4, 10.0),
        (needed(1, (NOW - 50, 9)), 4, 10.0),
        (needed(4), 4, None),
        (needed(5), 4, None),  # with a tenth on top; five are not needed yet
        (replace(needed(1), ready_since=NOW - 45), 4, 15.0),  # the newest has been ready for 45 s only
        (replace(needed(1), loading=True), 4, None),
        (FOUR, 4, None),
    ],
)
def test_surplus_goes_to_what_was_enough_for_the_whole_delay(
    pool: Pool, replicas: int, recheck: float | None
) -> None:
    decision = decide(EIGHT, pool, Load(in_flight=20))
    assert (decision.replicas, decision.recheck_after) == (replicas, recheck)
    assert decision.reason == ("Demand" if replicas == 4 else "Surplus")


def test_surplus_stops_at_the_minimum_and_at_the_schedules() -> None:
    load = Load(in_flight=20)
    assert decide(replace(EIGHT, minimum=2), needed(1), load).replicas == 2
    assert decide(replace(EIGHT, scheduled=Minimum(3, NOW + 60)), needed(1), load).replicas == 3


def test_what_is_needed_now_is_never_surplus() -> None:
    assert decide(EIGHT, needed(1), Load(in_flight=90)).replicas == 4


def test_a_pool_that_is_idle_for_long_enough_sleeps_in_one_step() -> None:
    decision = decide(EIGHT, needed(0), counters=QUIET)
    assert (decision.replicas, decision.reason) == (0, "Idle")


def test_surplus_goes_before_sleep_where_its_delay_is_shorter() -> None:
    decision = decide(EIGHT, needed(0), Load(last_activity=NOW - 61))
    assert (decision.replicas, decision.reason) == (1, "Surplus")


def test_a_silent_gateway_keeps_every_worker() -> None:
    assert kept_for(EIGHT, FOUR, Load(in_flight=1, silent=True)) == 4
    assert kept_for(EIGHT, FOUR, Load(in_flight=1)) == 1


def test_workers_are_kept_for_a_tenth_more_than_there_is() -> None:
    assert [kept_for(EIGHT, FOUR, Load(in_flight=depth)) for depth in (21, 22, 43, 44)] == [1, 2, 2, 3]
    assert kept_for(EIGHT, FOUR, Load(in_flight=1000)) == 8


METRICS = st.builds(PerReplica, st.integers(1, 50)) | st.builds(
    QueueDelay, st.floats(0.001, 100), st.integers(1, 50)
)
BOUNDS = st.builds(
    lambda minimum, extra, idle, metric, delay, asked, until: Bounds(
        minimum=minimum,
        maximum=max(1, minimum + extra),
        idle_timeout=idle,
        metric=metric,
        scale_down_delay=delay,
        scheduled=Minimum(min(asked, max(1, minimum + extra)), until),
    ),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 600),
    METRICS,
    st.integers(0, 600),
    st.integers(0, 6),
    st.none() | st.floats(NOW + 0.001, NOW + 100_000),
)
HISTORIES = st.none() | st.builds(
    lambda current, more, until: NeedHistory(current, ((until, current + more),) if more else ()),
    st.integers(0, 8),
    st.integers(0, 5),
    st.floats(NOW - 600, NOW),
)
POOLS = st.builds(
    Pool,
    replicas=st.integers(0, 8),
    ready=st.integers(0, 3),
    loading=st.booleans(),
    ready_since=st.floats(0, NOW),
    trying_since=st.floats(0, NOW),
    needed=HISTORIES,
)
LOADS = st.builds(
    Load,
    st.integers(0, 200),
    st.integers(0, 200),
    st.none() | st.floats(0, NOW),
    st.booleans(),
    st.none() | st.floats(0.001, 100),
)
COUNTERS = st.none() | st.builds(
    Counters, st.booleans(), st.floats(0, NOW), st.none() | st.floats(0, NOW), st.booleans()
)


@given(BOUNDS, POOLS, LOADS, COUNTERS)
def test_every_change_ends_within_the_bounds_and_is_stable(
    bounds: Bounds, pool: Pool, load: Load, counters: Counters | None
) -> None:
    decision = decide_scale(bounds, pool, load, NOW, counters)
    if decision.replicas != pool.replicas:
        assert bounds.least <= decision.replicas <= bounds.maximum
    if pool.replicas == 0 and bounds.least == 0:
        assert decision.replicas == 0
    assert decision.recheck_after is None or decision.recheck_after > 0
    after = decide_scale(bounds, replace(pool, replicas=decision.replicas), load, NOW, counters)
    if decision.reason == "MaxReplicas":  # first into the bounds; whether to sleep is decided from there
        decision = after
        after = decide_scale(bounds, replace(pool, replicas=decision.replicas), load, NOW, counters)
    assert after.replicas == decision.replicas


class Tide(RuleBasedStateMachine):
    """Load comes and goes, workers become ready, time passes, the operator may start again. The pool is
    never less than what the load needs, nor than what it needed within the delay, and no more in the end."""

    DELAY = 60.0
    BOUNDS = Bounds(maximum=6, metric=PerReplica(10), scale_down_delay=DELAY, idle_timeout=1e9)

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.load = Load(in_flight=1)
        self.pool = Pool(replicas=1, ready=1, ready_since=self.now)
        self.memory: NeedHistory | None = None
        self.held: list[tuple[float, int]] = []  # each look, and what the load needed then

    @rule(seconds=st.floats(0.1, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(requests=st.integers(1, 80))
    def the_load_changes(self, requests: int) -> None:
        self.load = Load(waiting=requests // 2, in_flight=requests - requests // 2)

    @rule()
    def the_operator_starts_again(self) -> None:
        self.memory = None

    @invariant()
    def the_pool_is_what_was_needed(self) -> None:
        bounds, before = self.BOUNDS, self.pool.replicas
        need = min(6, bounds.metric.workers(self.load))
        self.memory = (self.memory or NeedHistory(before)).then(
            kept_for(bounds, self.pool, self.load), self.now, self.DELAY
        )
        decision = decide_scale(bounds, replace(self.pool, needed=self.memory), self.load, self.now)
        within = [each for at, each in self.held if at > self.now - self.DELAY]
        assert decision.replicas >= max([need, *within])
        if decision.replicas > before:
            assert decision.replicas == need
            self.pool = Pool(replicas=need, ready=need, ready_since=self.now)
        elif decision.replicas < before:
            self.pool = replace(self.pool, replicas=decision.replicas, ready=decision.replicas)
        self.held.append((self.now, need))

    def teardown(self) -> None:
        for _ in range(2):  # one look that sees the load, one when the delay is over
            self.now += self.DELAY + 1
            self.the_pool_is_what_was_needed()
        assert self.pool.replicas <= max(1, min(6, self.BOUNDS.metric.workers(self.load, HEADROOM)))


TestTide = Tide.TestCase


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
