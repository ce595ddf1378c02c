"""The decision look after look, with what it remembers passed on."""

from dataclasses import replace

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.flapping import Flapping
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.schedule import Minimum

NOW = 10_000.0
EIGHT = Bounds(maximum=8, metric=PerReplica(10), scale_down_delay=60)
FOUR = Pool(replicas=4, ready=4, ready_since=NOW - 1000)


def test_surplus_goes_when_the_memory_has_seen_little_need_for_the_whole_delay() -> None:
    memory, kept = Memory(), []
    for seconds in (0, 30, 59, 60):
        decision, memory = decide(EIGHT, FOUR, Load(in_flight=15), NOW + seconds, memory)
        kept.append(decision.replicas)
    assert kept == [4, 4, 4, 2]


def test_who_remembers_nothing_stops_nobody_at_the_first_look() -> None:
    decision, _ = decide(EIGHT, FOUR, Load(in_flight=15), NOW + 3600, Memory())
    assert (decision.replicas, decision.recheck_after) == (4, 60)


def test_what_others_decided_on_is_no_reason_for_surplus_when_it_is_ours_to_decide() -> None:
    theirs, memory = replace(EIGHT, external=4), Memory()
    for seconds in (0, 3600):
        _, memory = decide(theirs, FOUR, Load(in_flight=15), NOW + seconds, memory)
    decision, memory = decide(EIGHT, FOUR, Load(in_flight=15), NOW + 3601, memory)
    assert decision.replicas == 4, "its delay begins with the change"
    decision, _ = decide(EIGHT, FOUR, Load(in_flight=15), NOW + 3661, memory)
    assert decision.replicas == 2


ONE = Bounds(idle_timeout=180, longest_idle_timeout=720)
QUIET = Counters(busy=False, first_asked=0.0)


def rests_for(gap: float, memory: Memory, now: float) -> tuple[float | None, Memory]:
    """Seconds slept in a gap between two requests (None: not at all), by a service whose start takes 40 s."""
    ready = Pool(replicas=1, ready=1, ready_since=now - 1, oldest=now - 41, start_seconds=40.0)
    look = now
    while look < now + gap:
        decision, memory = decide(ONE, ready, Load(last_activity=now), look, memory, QUIET)
        if decision.replicas == 0:
            break
        look += decision.recheck_after or 3600
    if look >= now + gap:
        return None, memory
    woken = Pool(replicas=1, loading=True, oldest=now + gap, trying_since=now + gap, start_seconds=40.0)
    load = Load(waiting=1, last_activity=now + gap)
    _, memory = decide(ONE, woken, load, now + gap + 0.3, memory)
    return now + gap - look, memory


def test_a_service_that_is_woken_just_after_it_fell_asleep_sleeps_later_the_fourth_time() -> None:
    memory, slept = Memory(), []
    for number in range(6):
        seconds, memory = rests_for(200.0, memory, NOW + 1000 * number)
        slept.append(seconds)
    assert slept == [20.0, 20.0, 20.0, None, None, None]
    assert memory.wakes == 3


def test_one_long_sleep_ends_it() -> None:
    memory = Memory(wakes=3)
    assert rests_for(230.0, memory, NOW)[0] == 10.0, "after 220 s: one start later than the spec says"
    slept, memory = rests_for(3600.0, memory, NOW)
    assert (slept, memory.wakes) == (3380.0, 0)
    assert rests_for(200.0, memory, NOW)[0] == 20.0


def test_a_schedule_that_ends_a_sleep_is_no_flap() -> None:
    scheduled = replace(ONE, scheduled=Minimum(1, NOW + 3600))
    _, memory = decide(
        scheduled, Pool(replicas=0, start_seconds=40), Load(), NOW, Memory(asleep_since=NOW - 5)
    )
    started = Pool(replicas=1, loading=True, oldest=NOW, start_seconds=40)
    _, memory = decide(scheduled, started, Load(last_activity=NOW - 200), NOW + 1, memory)
    assert (memory.wakes, memory.asleep_since) == (0, None)


def test_a_wake_is_the_end_of_a_short_sleep_before_its_request_is_heard_of() -> None:
    """The Deployment's watch is faster than a line of demand, and the sleep is over by the next look."""
    woken = Pool(replicas=1, loading=True, start_seconds=40.0)
    asleep = Memory(wakes=2, asleep_since=NOW - 20)
    _, memory = decide(ONE, woken, Load(last_activity=NOW - 200), NOW, asleep)
    assert (memory.wakes, memory.asleep_since) == (3, None)


def test_the_worker_that_is_about_to_sleep_ends_no_sleep() -> None:
    before = Pool(replicas=1, ready=1, ready_since=NOW - 900, oldest=NOW - 940, start_seconds=40.0)
    _, memory = decide(ONE, before, Load(last_activity=NOW - 200), NOW, Memory(asleep_since=NOW - 1), QUIET)
    assert memory.wakes == 0


def test_who_takes_over_knows_of_the_flaps_from_what_was_written() -> None:
    """With what is remembered of them alone the decision is that of who has seen everything."""
    pool = Pool(replicas=1, ready=1, ready_since=NOW - 1000, start_seconds=40.0)
    seen, _ = decide(ONE, pool, Load(last_activity=NOW - 200), NOW, Memory(wakes=4), QUIET)
    assert (seen.replicas, seen.recheck_after) == (1, 60.0)
    assert seen.flapping == Flapping(4, 40.0, 180, 720)


def test_a_service_that_others_scale_or_that_is_suspended_has_no_idle_timeout_to_extend() -> None:
    pool = Pool(replicas=1, ready=1, start_seconds=40.0)
    for bounds in (replace(ONE, suspended=True), replace(ONE, external=2)):
        decision, _ = decide(bounds, pool, Load(), NOW, Memory(wakes=4))
        assert (decision.flapping, decision.needed) == (None, None)
