"""What is announced, and how often it is written."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.event_log import FORGET_SECONDS, REPEAT_SECONDS, EventLog, Regarded
from tidegate.domain.events import Announcement, announcements

Json = dict[str, Any]

ABOUT = Regarded("team", "qwen", "u1")
NEWS = Announcement("Warning", "OOMKilled", "too little memory", "Observe")


def status(
    desired: int | None = 0, ready: tuple[str, str, str] = ("True", "Idle", ""), **others: Json
) -> Json:
    head = {"type": "Ready", "status": ready[0], "reason": ready[1], "message": ready[2]}
    return {"scaling": {"desired": desired, "reason": "Demand"}, "conditions": [head, *others.values()]}


def condition(kind: str, value: str, reason: str) -> Json:
    return {"type": kind, "status": value, "reason": reason, "message": "figures"}


def told(before: Json, after: Json, why: str = "because") -> list[tuple[str, str]]:
    return [(each.type, each.reason) for each in announcements(before, after, why)]


def test_a_change_of_the_number_of_workers_is_announced_with_why() -> None:
    assert told(status(0), status(1)) == [("Normal", "Woken")]
    assert told(status(2), status(0)) == [("Normal", "Asleep")]
    assert told(status(1), status(3)) == [("Normal", "ScaledUp")]
    assert told(status(3), status(1)) == [("Normal", "ScaledDown")]
    (woken,) = announcements(status(0), status(1), "5 requests wait or run")
    assert woken.note == "0 → 1 workers: 5 requests wait or run"


def test_a_wake_by_the_gateway_is_told_as_such() -> None:
    woken = status(1)
    woken["scaling"]["reason"] = "Woken"
    assert announcements(status(0), woken, "loads")[0].note == "0 → 1 workers: a request arrived"


def test_a_new_service_announces_nothing() -> None:
    assert told({}, status(0)) == []


FAILED = ("False", "OOMKilled", "too little memory")
SERVES = ("True", "Ready", "1 of 1 workers ready")


def test_a_cause_is_announced_when_it_appears_and_not_while_it_lasts() -> None:
    before, failed = status(1, ("False", "Starting", "")), status(1, FAILED)
    assert told(before, failed) == [("Warning", "OOMKilled")]
    assert told(failed, status(1, ("False", "OOMKilled", "other words"))) == []


def test_recovery_is_a_worker_that_serves_and_not_a_start() -> None:
    assert told(status(1, FAILED), status(1, SERVES)) == [("Normal", "Recovered")]
    assert told(status(1, FAILED), status(1, ("False", "Starting", ""))) == []
    assert told(status(1, ("False", "Starting", "")), status(1, SERVES)) == []


def test_trouble_beside_a_worker_that_serves_is_announced_and_so_is_its_end() -> None:
    beside = status(2, ("True", "Unschedulable", "1 of 2 workers ready; Unschedulable: no gpu"))
    assert told(status(2, SERVES), beside) == [("Warning", "Unschedulable")]
    assert told(beside, status(2, SERVES)) == [("Normal", "Recovered")]


def test_a_block_is_announced_and_over_with_the_first_other_state() -> None:
    blocked = status(None, ("False", "NameConflict", "in the way"))
    assert told(status(0), blocked) == [("Warning", "NameConflict")]
    assert told(blocked, status(0)) == [("Normal", "Recovered")]


def test_a_missed_slo_is_announced_both_ways() -> None:
    met, missed = (
        condition("SLOMet", *each) for each in (("True", "TargetsMet"), ("False", "TargetsMissed"))
    )
    assert told(status(a=met), status(a=missed)) == [("Warning", "TargetsMissed")]
    assert told(status(a=missed), status(a=met)) == [("Normal", "TargetsMet")]
    assert told(status(), status(a=met)) == []


STATUSES = st.sampled_from([{}, status(0), status(1, FAILED), status(2, SERVES), status(None, FAILED)])


@given(STATUSES)
def test_what_was_already_so_is_never_announced(one: Json) -> None:
    assert announcements(one, one, "because") == []


def test_the_same_news_is_one_event_that_counts_at_most_once_in_five_minutes() -> None:
    log = EventLog()
    first = log.offer(ABOUT, NEWS, 0.0)
    assert first
    assert first.count == 1
    assert [log.offer(ABOUT, NEWS, float(at)) for at in range(1, 100)] == [None] * 99
    assert log.due(REPEAT_SECONDS - 1) == []
    (repeat,) = log.due(REPEAT_SECONDS)
    assert (repeat.count, repeat.at, repeat.began) == (100, 99.0, 0.0)
    assert log.due(REPEAT_SECONDS * 2) == []


def test_news_after_a_long_calm_is_an_event_of_its_own() -> None:
    log = EventLog()
    log.offer(ABOUT, NEWS, 0.0)
    log.due(FORGET_SECONDS)
    assert log.next_due(FORGET_SECONDS) is None
    again = log.offer(ABOUT, NEWS, FORGET_SECONDS + 1)
    assert again
    assert (again.count, again.began) == (1, FORGET_SECONDS + 1)


def test_a_thousand_services_that_fail_at_once_are_bounded_and_counted() -> None:
    log = EventLog()
    writes = [log.offer(Regarded("team", f"s{n}", f"u{n}"), NEWS, 0.0) for n in range(1000)]
    assert sum(1 for write in writes if write) == log.all_burst
    assert log.dropped["flood"] == 1000 - log.all_burst
    assert log.offer(Regarded("team", "later", "ul"), NEWS, 60.0)


def test_one_noisy_service_leaves_room_for_the_others() -> None:
    log = EventLog()
    changing = [Announcement("Normal", "ScaledUp", f"{n}", "Scale") for n in range(50)]
    assert sum(1 for each in changing if log.offer(ABOUT, each, 0.0)) == log.one_burst
    assert log.dropped == {"noisy": 40}
    assert log.offer(Regarded("team", "quiet", "u2"), NEWS, 0.0)


def test_an_event_that_could_not_be_written_is_created_with_the_next_news() -> None:
    log = EventLog()
    log.offer(ABOUT, NEWS, 0.0)
    log.lost(ABOUT, NEWS)
    again = log.offer(ABOUT, NEWS, 1.0)
    assert again
    assert again.count == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 200)), max_size=60))
def test_every_piece_of_news_is_told_or_counted_as_dropped(way: list[tuple[int, float]]) -> None:
    log, now, told_counts = EventLog(one_burst=2.0, all_burst=3.0), 0.0, {}
    for which, pause in way:
        now += pause
        news = Announcement("Normal", "Woken", str(which), "Scale")
        if write := log.offer(ABOUT, news, now):
            told_counts[which, write.began] = write.count
    for write in log.due(now + REPEAT_SECONDS + 1.0):
        told_counts[int(write.news.note), write.began] = write.count
    assert sum(told_counts.values()) + sum(log.dropped.values()) == len(way)


PARTS = {"api": "0.05", "scheduling": "0.01", "image": "0.00", "container": "1.10", "engineAndLoad": "11.00"}


def test_a_cold_start_is_news_when_its_parts_are_known_and_only_then() -> None:
    counted = {"coldStarts": {"count": 1, "lastWorker": "w-1"}}
    told = {"coldStarts": {"count": 1, "lastWorker": "w-1", "parts": PARTS}}
    again = {"coldStarts": {"count": 2, "lastWorker": "w-2", "parts": PARTS}}
    assert announcements({}, counted) == []
    (news,) = announcements(counted, told)
    assert (news.type, news.reason) == ("Normal", "ColdStart")
    assert news.note == ("12.16 s: API 0.05, scheduling 0.01, image 0, container 1.1, engine and load 11")
    assert announcements(told, told | {"phase": "Running"}) == []
    assert [each.reason for each in announcements(told, again)] == ["ColdStart"]


def test_cold_starts_leave_room_for_the_other_news_of_a_service() -> None:
    """Each is an Event of its own; a service that wakes all the time still tells what is wrong with it."""
    log, about = EventLog(), Regarded("team", "qwen", "uid")
    starts = [Announcement("Normal", "ColdStart", f"{number} s", "Observe") for number in range(20)]
    assert sum(log.offer(about, each, 0.0) is not None for each in starts) == 5
    cause = Announcement("Warning", "OutOfDisk", "full", "Observe")
    assert log.offer(about, cause, 0.0) is not None
