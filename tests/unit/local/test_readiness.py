"""Whether a worker is ready, from what its probes met."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.probe_pace import ProbeResult
from tidegate.local.machine.readiness import READY_PAUSE, Readiness

ANSWERS, OPEN, CLOSED = ProbeResult.ANSWERS, ProbeResult.OPEN, ProbeResult.CLOSED


def test_one_answer_is_enough_and_three_misses_take_it_back() -> None:
    readiness = Readiness(0.0)
    told = []
    for result in (CLOSED, OPEN, ANSWERS, OPEN, OPEN, ANSWERS, OPEN, OPEN, OPEN, ANSWERS):
        readiness.take(result, 1.0)
        told.append(readiness.ready)
    assert told == [False, False, True, True, True, True, True, True, False, True]


@pytest.mark.parametrize(("asked_for", "pause"), [(0.0, 0.05), (10.0, 0.1), (99.0, 0.99), (500.0, 1.0)])
def test_a_start_is_asked_every_50_milliseconds_and_then_ever_more_rarely(
    asked_for: float, pause: float
) -> None:
    assert Readiness(100.0).take(CLOSED, 100.0 + asked_for) == pytest.approx(pause)


@given(st.lists(st.sampled_from(ProbeResult)), st.floats(0, 10000))
def test_pauses_are_between_50_milliseconds_and_two_seconds(
    results: list[ProbeResult], asked_for: float
) -> None:
    readiness = Readiness(0.0)
    for result in results:
        assert 0.05 <= readiness.take(result, asked_for) <= READY_PAUSE
