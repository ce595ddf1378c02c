"""The parts of a cold start: never negative, and together the whole."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.coldstart import POINTS, ColdStart
from tidegate.domain.start_parts import (
    Details,
    EngineTimes,
    Part,
    parts_of,
    pulled_seconds,
    sentence,
    until_ready,
    whole_of,
    written,
)

SECONDS = st.floats(0, 1e5, allow_nan=False)
POINTS_IN_ANY_ORDER = st.dictionaries(st.sampled_from(POINTS), SECONDS)
ENGINES = st.builds(EngineTimes, SECONDS, SECONDS)
DETAILS = st.builds(Details, st.none() | SECONDS, st.none() | ENGINES)

POINTS_SEEN = {"created": 0.05, "scheduled": 0.06, "started": 1.76, "loaded": 12.16, "first_byte": 12.36}


@given(POINTS_IN_ANY_ORDER, DETAILS)
def test_parts_are_never_negative_and_add_up_to_the_last_point_whatever_was_seen(
    points: dict[str, float], details: Details
) -> None:
    parts = parts_of(points, details)
    assert all(seconds >= 0 for seconds in parts.values())
    assert math.isclose(sum(parts.values()), max(points.values(), default=0.0), abs_tol=1e-6)


@given(POINTS_IN_ANY_ORDER, DETAILS)
def test_written_with_two_decimals_they_still_add_up_and_are_not_negative(
    points: dict[str, float], details: Details
) -> None:
    parts = parts_of(points, details)
    texts = written(parts)
    whole = sum((Decimal(text) for text in texts.values()), Decimal())
    assert abs(whole - Decimal(sum(parts.values()))) <= Decimal("0.0051")
    assert all(Decimal(text) >= 0 for text in texts.values())


@given(st.permutations(POINTS), st.lists(SECONDS, min_size=5, max_size=5))
def test_stages_that_are_told_in_any_order_leave_no_part_negative(order: list[str], at: list[float]) -> None:
    start = ColdStart(woken=100.0)
    for point, seconds in zip(order, sorted(at), strict=True):
        start.reached(point, 100.0 + seconds)
    assert all(seconds >= 0 for seconds in parts_of(start.points).values())


def test_without_details_what_nobody_tells_apart_is_one_part() -> None:
    parts = parts_of(POINTS_SEEN)
    assert {part.key: round(seconds, 2) for part, seconds in parts.items()} == {
        "api": 0.05,
        "scheduling": 0.01,
        "imageAndContainer": 1.7,
        "engineAndLoad": 10.4,
        "firstByte": 0.2,
    }


def test_details_divide_what_the_gateway_sees_as_one() -> None:
    parts = parts_of(POINTS_SEEN, Details(pulled=0.6, engine=EngineTimes(6.2, 10.4)))
    assert written(parts) == {
        "api": "0.05",
        "scheduling": "0.01",
        "image": "0.60",
        "container": "1.10",
        "engine": "6.20",
        "load": "4.20",
        "firstByte": "0.20",
    }


def test_a_worker_that_ran_before_the_kubelet_told_it_began_earlier() -> None:
    """It served 11.0 s after its start and was ready at 12.16: it ran from 1.16 on, not from 1.76."""
    parts = parts_of(POINTS_SEEN, Details(pulled=0.0, engine=EngineTimes(6.2, 11.0)))
    assert (round(parts[Part.CONTAINER], 2), round(parts[Part.LOAD], 2)) == (1.1, 4.8)


def test_a_worker_cannot_have_begun_before_its_image_was_there() -> None:
    parts = parts_of(POINTS_SEEN, Details(pulled=1.5, engine=EngineTimes(6.2, 100.0)))
    assert (round(parts[Part.IMAGE], 2), round(parts[Part.CONTAINER], 2)) == (1.5, 0.0)


def test_a_start_that_is_not_over_has_the_parts_that_it_has_come_to() -> None:
    assert list(parts_of({"created": 0.1, "scheduled": 0.2})) == [Part.API, Part.SCHEDULING]
    assert parts_of({}) == {}


def test_the_sentence_has_the_whole_and_each_part() -> None:
    parts = written(parts_of(POINTS_SEEN, Details(pulled=0.0, engine=EngineTimes(6.2, 11.0))))
    assert sentence(parts) == (
        "12.36 s: API 0.05, scheduling 0.01, image 0, container 1.1, engine 6.2, load 4.8, first byte 0.2"
    )


def test_the_whole_is_the_sum_of_the_parts() -> None:
    assert whole_of({"api": "0.05", "load": "4.80", "firstByte": "60.00"}) == Decimal("64.85")


def test_until_ready_leaves_the_first_byte_out_and_forgives_what_is_no_number() -> None:
    assert until_ready({"api": "0.05", "load": "4.80", "firstByte": "60.00"}) == Decimal("4.85")
    assert until_ready({"api": "soon", "load": None, "image": "NaN", "other": "1"}) == 0


@pytest.mark.parametrize(
    ("notes", "seconds"),
    [
        ([], None),
        (['Container image "x:1" already present on machine'], 0.0),
        (['Container image "x:1" already present on machine and can be accessed by the pod'], 0.0),
        (['Successfully pulled image "x:1" in 5.25s (7.5s including waiting). Image size: 5 bytes.'], 7.5),
        (['Successfully pulled image "x:1" in 850ms (850ms including waiting)'], 0.85),
        (['Successfully pulled image "x:1" in 1m2.5s (1h0m1s including waiting)'], 3601.0),
        (['Successfully pulled image "x:1" in 2.5s'], 2.5),
        (['Successfully pulled image "in 9s" in 2.5s'], 2.5),
        (['Successfully pulled image "a" in 2s', 'Successfully pulled image "b" in 1.5s'], 3.5),
        (["Pulled, and that is all"], 0.0),
        (['Successfully pulled image "x" in 1.2.3s'], 0.0),
    ],
)
def test_how_long_a_node_pulled_stands_in_its_events(notes: list[str], seconds: float | None) -> None:
    assert pulled_seconds(notes) == seconds


def test_asking_again_for_a_point_changes_nothing() -> None:
    start = ColdStart(woken=10.0)
    start.reached("started", 12.0)
    start.reached("created", 15.0)
    assert start.points == {"created": 2.0, "scheduled": 2.0, "started": 2.0}
