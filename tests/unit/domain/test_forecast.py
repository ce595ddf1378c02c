"""When the number of workers changes next."""

from __future__ import annotations

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.forecast import next_change
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.schedule import Minimum

NOW = 10_000.0
BOUNDS = Bounds(minimum=0, maximum=4, idle_timeout=300.0, metric=PerReplica(24), scale_down_delay=120.0)


def test_an_idle_service_sleeps_when_its_idle_timeout_is_over() -> None:
    pool = Pool(1, ready=1, ready_since=NOW - 1000)
    change = next_change(lambda _: BOUNDS, pool, Load(last_activity=NOW - 100), NOW, Memory())
    assert change is not None
    assert (round(change.at - NOW), change.decision.replicas, change.decision.reason) == (200, 0, "Idle")


def test_what_nobody_remembers_is_surplus_when_the_whole_delay_is_over() -> None:
    pool = Pool(3, ready=3, ready_since=NOW - 1000)
    change = next_change(lambda _: BOUNDS, pool, Load(in_flight=5), NOW, Memory())
    assert change is not None
    assert (round(change.at - NOW), change.decision.replicas, change.decision.reason) == (120, 1, "Surplus")


def test_a_load_that_needs_more_changes_the_number_now() -> None:
    change = next_change(lambda _: BOUNDS, Pool(1, ready=1), Load(in_flight=25), NOW, Memory())
    assert change is not None
    assert (change.at, change.decision.replicas) == (NOW, 2)


def test_a_service_that_works_or_starts_changes_nothing() -> None:
    assert next_change(lambda _: BOUNDS, Pool(1, ready=1), Load(in_flight=3), NOW, Memory()) is None
    assert next_change(lambda _: BOUNDS, Pool(1, loading=True), Load(), NOW, Memory()) is None


def test_after_a_schedule_it_sleeps_when_the_schedule_ends() -> None:
    end = NOW + 9000.0

    def bounds(moment: float) -> Bounds:
        scheduled = Minimum(1, end) if moment < end else Minimum(0, None)
        return Bounds(maximum=4, idle_timeout=300.0, scheduled=scheduled)

    pool = Pool(1, ready=1, ready_since=NOW - 1000)
    change = next_change(bounds, pool, Load(last_activity=NOW), NOW, Memory())
    assert change is not None
    assert (change.at, change.decision.replicas) == (end, 0)


def test_the_operators_own_decision_at_that_moment_is_the_same() -> None:
    pool, load = Pool(1, ready=1, ready_since=NOW - 1000), Load(last_activity=NOW - 100)
    change = next_change(lambda _: BOUNDS, pool, load, NOW, Memory())
    assert change is not None
    quiet = Counters(busy=False, first_asked=0.0)
    assert decide(BOUNDS, pool, load, change.at, Memory(), quiet)[0] == change.decision
    assert decide(BOUNDS, pool, load, change.at - 1, Memory(), quiet)[0].replicas == 1
