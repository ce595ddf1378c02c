"""How often a field is written again that somebody else keeps changing."""

from dataclasses import replace

from tidegate.domain.contest import LONGEST, MEMORY, Contest, tried
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Load, Pool, decide_scale


def fought(times: int, *, every: float = 0.0) -> Contest:
    contest = None
    for number in range(times):
        contest = tried(contest, "hash", (".spec.paused",), 1000.0 + number * every)
    assert contest
    return contest


def test_the_first_corrections_are_made_at_once_and_nobody_is_told() -> None:
    for times in (1, 2):
        assert fought(times).due() == 1000.0
        assert not fought(times).real


def test_from_the_third_on_each_waits_twice_as_long_up_to_five_minutes() -> None:
    assert [fought(times).due() - 1000.0 for times in (3, 4, 5, 6)] == [1.0, 2.0, 4.0, 8.0]
    assert fought(40).due() - 1000.0 == LONGEST
    assert fought(3).real


def test_what_resists_in_the_answer_to_the_write_waits_from_the_first() -> None:
    resisting = replace(fought(1), resists=True)
    assert resisting.real
    assert resisting.due() == 1001.0


def test_another_manifest_starts_anew() -> None:
    assert tried(fought(9), "other", (".spec.paused",), 1000.0).tries == 1


def test_a_contest_that_was_quiet_for_long_is_over() -> None:
    old = fought(5)
    assert old.over(1000.0 + MEMORY)
    assert tried(old, "hash", (".spec.paused",), 1000.0 + MEMORY).tries == 1


def test_one_that_has_ended_is_not_looked_at_again_and_again_until_it_is_forgotten() -> None:
    ended = fought(5)
    assert ended.rest(1002.0) == MEMORY - 2.0
    assert ended.rest(1000.0 + MEMORY) == 1.0


def test_a_correction_that_is_held_back_is_looked_at_when_it_is_due_and_soon_after_that() -> None:
    held = replace(fought(5), held=True)
    assert held.rest(1001.0) == 3.0
    assert held.rest(1500.0) == 1.0


def test_every_path_that_was_fought_over_is_kept() -> None:
    assert tried(fought(1), "hash", (".metadata.labels.a",), 1001.0).paths == (
        ".metadata.labels.a",
        ".spec.paused",
    )


def test_a_service_at_its_minimum_is_there_because_of_its_minimum() -> None:
    decision = decide_scale(Bounds(minimum=2, maximum=3), Pool(replicas=2), Load(), 1000.0)
    assert decision.reason == "MinReplicas"
