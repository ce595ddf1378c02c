"""Flap damping: what counts as a flap, how long sleep is put off, and that it ends by itself."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.flapping import IDLE_TIMEOUT_EXTENDED, TOLERATED, Flapping

CALM = Flapping(wakes=0, start=40.0, idle_timeout=180.0, most=720.0)
SECONDS = st.floats(0, 10_000)
FLAPPING = st.builds(
    lambda wakes, start, timeout, more: Flapping(wakes, start, timeout, timeout + more),
    st.integers(0, 40),
    st.none() | st.floats(0.01, 2000),
    st.integers(0, 1000).map(float),
    st.integers(0, 3000).map(float),
)


def test_a_sleep_shorter_than_the_start_that_ended_it_is_a_flap() -> None:
    assert CALM.after(slept=39.9) == 1
    assert CALM.after(slept=40.0) == 0


@pytest.mark.parametrize(("wakes", "seconds"), [(0, 180), (2, 180), (3, 220), (4, 260), (99, 720)])
def test_from_the_third_flap_on_each_puts_sleep_off_by_one_start_up_to_the_bound(
    wakes: int, seconds: float
) -> None:
    damped = replace(CALM, wakes=wakes)
    assert damped.extended == seconds
    assert damped.holds == (wakes > TOLERATED)


@pytest.mark.parametrize(("slept", "left"), [(40, 4), (79, 4), (80, 3), (200, 0), (36_000, 0)])
def test_a_sleep_as_long_as_several_starts_makes_up_for_as_many_flaps(slept: float, left: int) -> None:
    assert replace(CALM, wakes=5).after(slept) == left


def test_what_a_start_costs_must_be_known() -> None:
    unknown = replace(CALM, wakes=5, start=None)
    assert unknown.after(0.0) == unknown.after(10_000.0) == 5
    assert not unknown.holds


def test_equal_bounds_switch_it_off() -> None:
    off = replace(CALM, wakes=50, most=180.0)
    assert off.extended == 180
    assert off.condition() is None


def test_the_condition_tells_the_figures_and_what_to_set() -> None:
    told = replace(CALM, wakes=4).condition()
    assert told is not None
    assert (told.type, told.status, told.reason) == (IDLE_TIMEOUT_EXTENDED, "True", "Flapping")
    assert "4 sleeps were shorter than the 40 s that a start takes" in told.message
    assert "sleeps after 260 s without activity instead of 180 s" in told.message
    assert "set scaling.idleTimeoutSeconds to 260" in told.message
    assert "at most 720 s, scaling.maxIdleTimeoutSeconds" in told.message


@given(FLAPPING, SECONDS)
def test_it_stays_within_its_bound_and_never_shortens(flapping: Flapping, slept: float) -> None:
    after = replace(flapping, wakes=flapping.after(slept))
    assert flapping.idle_timeout <= after.extended <= max(flapping.most, flapping.idle_timeout)
    assert 0 <= after.wakes <= flapping.wakes + 1


@given(FLAPPING, SECONDS, SECONDS)
def test_a_longer_sleep_never_puts_the_next_one_off_more(
    flapping: Flapping, one: float, other: float
) -> None:
    short, long = sorted((one, other))
    assert flapping.after(long) <= flapping.after(short)


@given(FLAPPING)
def test_it_ends_by_itself_when_sleeps_are_long(flapping: Flapping) -> None:
    start = flapping.start or 1.0
    for _ in range(flapping.wakes):
        flapping = replace(flapping, wakes=flapping.after(start * 1.01))
    assert flapping.start is None or flapping.wakes == 0


@given(FLAPPING)
def test_flaps_that_would_put_nothing_off_are_not_counted(flapping: Flapping) -> None:
    flapping = replace(flapping, wakes=0)
    for _ in range(200):
        counted = flapping.after(0.0)
        if counted > max(flapping.wakes, TOLERATED):
            assert replace(flapping, wakes=counted).extended > flapping.extended
        flapping = replace(flapping, wakes=counted)


@given(st.floats(1, 200), st.floats(1, 600), st.floats(1, 1000))
def test_requests_at_an_even_pace_within_the_bound_wake_a_service_a_few_times_only(
    start: float, idle_timeout: float, more: float
) -> None:
    gap, flapping = idle_timeout + more, Flapping(0, start, idle_timeout, 4 * idle_timeout)
    flaps = 0
    for _ in range(1000):
        slept = gap - flapping.extended
        if slept <= 0:
            break  # it does not fall asleep between two requests
        flaps += slept < start
        flapping = replace(flapping, wakes=flapping.after(slept))
    if gap <= flapping.most and more < start:
        assert flaps <= TOLERATED + 1
