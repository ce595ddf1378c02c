"""The decision look after look, with what it remembers passed on."""

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Load, Pool
from tidegate.domain.scaling_metrics import PerReplica

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
