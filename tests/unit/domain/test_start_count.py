"""status.coldStarts: each start once, whoever tells of it first, and its parts once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.start_count import Starts, count_starts, open_worker, usual_seconds
from tidegate.domain.start_parts import Details, EngineTimes
from tidegate.domain.start_record import StartRecord, parse_records, record_line
from tidegate.domain.workers import WorkerFacts

Json = dict[str, Any]

T0 = 1_767_225_600.0
POINTS = (("created", 0.05), ("scheduled", 0.06), ("started", 1.16), ("loaded", 12.16), ("first_byte", 12.36))
ALL_KNOWN = Details(0.0, EngineTimes(6.2, 11.0))


def pod(name: str, created: float, ready: float | None) -> WorkerFacts:
    return WorkerFacts(
        name,
        created,
        uid=f"uid-{name}",
        host="10.0.0.1",
        ready_since=ready,
        scheduled_since=created,
        started_since=created + 1,
    )


def record(worker: str, woken: float, points: tuple[tuple[str, float], ...] = POINTS) -> StartRecord:
    return StartRecord(worker, woken + dict(points)["loaded"], points)


def starts(*records: StartRecord, pending: bool = False, details: Details | None = ALL_KNOWN) -> Starts:
    return Starts(records, pending, lambda _: details)


def count(before: Json | None, *workers: WorkerFacts, known: Starts, turned_ready: bool = False) -> Json:
    after = count_starts(before or {}, workers, known, turned_ready=turned_ready)
    assert count_starts(after or {}, workers, known, turned_ready=False) == after, "the same writes nothing"
    return after or {}


A, B = pod("a", T0, T0 + 12), pod("b", T0, T0 + 13)


def test_a_start_that_a_gateway_tells_of_is_counted_with_all_of_its_parts() -> None:
    found = count(None, A, known=starts(record("a", T0)))
    assert found == {
        "count": 1,
        "lastSeconds": "12.36",
        "lastWorker": "a",
        "lastTime": "2026-01-01T00:00:12.160000Z",
        "parts": {
            "api": "0.05",
            "scheduling": "0.01",
            "image": "0.00",
            "container": "1.10",
            "engine": "6.20",
            "load": "4.80",
            "firstByte": "0.20",
        },
        "recentSeconds": ["12.16"],
    }


def test_the_pods_word_and_the_gateways_are_one_start_in_either_order() -> None:
    by_pod = count(None, A, known=starts(pending=True), turned_ready=True)
    assert (by_pod["count"], by_pod["lastSeconds"], "parts" in by_pod) == (1, "12.00", False)
    then = count(by_pod, A, known=starts(record("a", T0)))
    assert (then["count"], then["lastSeconds"], then["parts"]["firstByte"]) == (1, "12.36", "0.20")
    first = count(None, replace(A, ready_since=None), known=starts(record("a", T0), details=None))
    assert (first["count"], "parts" in first) == (1, False)
    after = count(first, A, known=starts(record("a", T0)), turned_ready=True)
    assert after == then | {"lastTime": after["lastTime"]}


def test_of_two_workers_that_start_together_one_start_is_counted() -> None:
    by_pod = count(None, A, B, known=starts(pending=True), turned_ready=True)
    assert by_pod["lastWorker"] == "a"
    then = count(by_pod, A, B, known=starts(record("b", T0)))
    assert (then["count"], then["lastWorker"], then["parts"]["api"]) == (1, "b", "0.05")
    other_way = count(None, A, B, known=starts(record("b", T0)))
    assert count(other_way, A, B, known=starts(record("b", T0)), turned_ready=True)["count"] == 1


def test_while_a_gateway_watches_or_is_not_heard_no_part_is_written() -> None:
    assert "parts" not in count(None, A, known=starts(pending=True), turned_ready=True)
    assert "parts" not in count(None, A, known=starts(record("a", T0), pending=True))


def test_a_start_without_a_gateway_has_the_pods_whole_seconds_and_no_api_and_no_first_byte() -> None:
    found = count(None, A, known=starts(), turned_ready=True)
    assert found["parts"] == {
        "scheduling": "0.00",
        "image": "0.00",
        "container": "1.00",
        "engine": "6.20",
        "load": "4.80",
    }
    assert found["lastSeconds"] == "12.00"


def test_what_nobody_tells_apart_is_one_part() -> None:
    found = count(None, A, known=starts(record("a", T0), details=Details()))
    assert list(found["parts"]) == ["api", "scheduling", "imageAndContainer", "engineAndLoad", "firstByte"]


def test_starts_that_went_by_while_nobody_counted_are_counted_by_what_gateways_remember() -> None:
    before = count(None, A, known=starts(record("a", T0)))
    later = [record(name, T0 + seconds) for name, seconds in (("c", 1000), ("d", 2000), ("e", 3000))]
    found = count(before, known=starts(record("a", T0), *later))
    assert (found["count"], found["lastWorker"]) == (4, "e")
    assert found["parts"]["api"] == "0.05", "its pod is gone, the gateway's record is not"


def test_a_start_that_two_gateways_tell_of_is_one() -> None:
    """Its arbiter changed: the second one asked for the wake again, and saw a worker a moment later."""
    for worker in ("a", "b"):
        second = replace(record(worker, T0 + 3), at=T0 + 12.2, points=(("loaded", 9.2),))
        assert count(None, A, B, known=starts(record("a", T0), second))["count"] == 1


def test_a_start_that_no_gateway_tells_of_does_not_get_the_parts_of_the_one_before() -> None:
    """The worker of before is there still, and not ready; what replaces it was woken by nobody."""
    before = count(None, A, known=starts(record("a", T0)))
    known = starts(record("a", T0), details=None)
    workers = replace(A, ready_since=None), pod("c", T0 + 500, T0 + 530)
    found = count(before, *workers, known=known, turned_ready=True)
    assert (found["count"], found["lastWorker"], found["lastSeconds"]) == (2, "c", "30.00")


def test_where_no_time_is_kept_no_start_is_counted_again_and_again() -> None:
    """An API server with the definition of an earlier release drops the fields that it does not know."""
    status: Json = {"count": 1, "lastSeconds": "1.00", "lastWorker": "a"}
    for _ in range(3):
        found = count_starts(status, (), starts(record("a", T0), record("c", T0 + 100)), turned_ready=False)
        status = {name: (found or {})[name] for name in status}
    assert (status["count"], status["lastWorker"]) == (2, "c")


def test_an_old_record_is_not_counted_again_after_a_start_without_a_gateway() -> None:
    before = count(None, A, known=starts(record("a", T0)))
    scheduled = pod("morning", T0 + 5000, T0 + 5030)
    found = count(before, scheduled, known=starts(record("a", T0)), turned_ready=True)
    assert (found["count"], found["lastWorker"], found["lastSeconds"]) == (2, "morning", "30.00")


def test_what_an_earlier_release_wrote_is_not_told_anew() -> None:
    before = {"count": 3, "lastSeconds": "12", "lastWorker": "a"}
    assert not open_worker(before)
    assert count(before, A, known=starts()) == before


def test_the_usual_start_is_the_median_without_the_pulls() -> None:
    status: Json = {}
    for number, pulled in enumerate((300.0, 0.0, 0.0)):
        points = tuple((point, seconds + (pulled if seconds > 1 else 0)) for point, seconds in POINTS)
        known = starts(record(f"w{number}", T0 + 1000 * number, points), details=Details(pulled, None))
        status = count(status, pod(f"w{number}", T0, T0 + 1), known=known)
    assert status["recentSeconds"] == ["12.16", "12.16", "12.16"]
    assert usual_seconds(status) == 12.16
    assert usual_seconds({"recentSeconds": ["10", "400", "12"]}) == 12
    assert usual_seconds({"lastSeconds": "38"}) == 38
    assert usual_seconds({}) is None
    assert usual_seconds({"lastSeconds": "soon"}) is None


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([None, Details(), ALL_KNOWN])), max_size=8
    )
)
def test_one_start_is_one_in_whatever_order_its_news_come(
    news: list[tuple[bool, bool, Details | None]],
) -> None:
    status: Json = {}
    told = 0
    for heard, ready, details in news:
        known = starts(*([record("a", T0)] if heard else []), pending=not heard, details=details)
        worker = A if ready else replace(A, ready_since=None)
        before = "parts" in status
        status = count(status, worker, known=known, turned_ready=ready)
        told += "parts" in status and not before
    assert status.get("count", 1) == 1
    assert told <= 1
    assert len(status.get("recentSeconds", ())) <= 1


def test_a_record_comes_through_a_line_as_it_was() -> None:
    (found,) = parse_records([record_line(record("a", T0))])
    assert found == record("a", T0)


def test_records_that_cannot_be_read_are_left_out() -> None:
    good = record_line(record("a", T0))
    odd: list[object] = [
        None,
        {},
        good | {"worker": 7},
        good | {"worker": "w" * 300},
        good | {"at": "noon"},
        good | {"at": float("inf")},
        good | {"points": {"created": 0.1}},
        good | {"points": {"loaded": -1}},
        good | {"points": {"loaded": 1e9}},
        good | {"points": [1, 2]},
        good | {"points": {"loaded": True}},
    ]
    assert [each.worker for each in parse_records([*odd, good])] == ["a"]
    assert parse_records("nothing") == []
