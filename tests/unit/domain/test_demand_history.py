"""Time-weighted means, against the sum over every telling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.demand_history import GRAIN, first_told
from tidegate.domain.scaling import Load

TOLD = st.lists(st.tuples(st.floats(0.01, 30), st.integers(0, 500), st.integers(0, 500)), max_size=40)


def test_a_mean_weighs_by_time() -> None:
    """40 for 15 s of the last 60: 10."""
    history = first_told(Load(), 0.0).then(Load(waiting=30, in_flight=10), 30.0, 120).then(Load(), 45.0, 120)
    mean = history.mean(60.0, 60.0)
    assert (mean.waiting, mean.in_flight) == (7.5, 2.5)
    assert [history.depth_at(when) for when in (-1.0, 10.0, 40.0, 50.0)] == [0, 0, 40, 0]


@given(TOLD, st.floats(0.5, 60))
def test_a_mean_is_that_of_every_telling_to_a_grain(
    told: list[tuple[float, int, int]], window: float
) -> None:
    history, now, steps = first_told(Load(), 0.0), 0.0, [(0.0, 0, 0)]
    for passed, waiting, in_flight in told:
        now += passed
        history = history.then(Load(waiting, in_flight), now, 60)
        steps.append((now, waiting, in_flight))
        assert len(history.areas) <= 2 * (60 + 2 * GRAIN) / GRAIN + 2, "it does not grow with time"
    now += 1.0
    ends = [begin for begin, _, _ in steps[1:]] + [now]
    exact = sum(
        (waiting + in_flight) * max(0.0, end - max(begin, now - window))
        for (begin, waiting, in_flight), end in zip(steps, ends, strict=True)
    )
    mean = history.mean(now, window)
    largest = max(waiting + in_flight for _, waiting, in_flight in steps)
    assert (mean.waiting + mean.in_flight) * window == pytest.approx(exact, abs=largest * GRAIN + 1e-6)


@given(st.integers(0, 5000), st.integers(0, 5000), st.lists(st.floats(0.01, 90), min_size=1, max_size=50))
def test_the_mean_of_a_constant_is_that_constant(waiting: int, in_flight: int, looks: list[float]) -> None:
    history, now = first_told(Load(waiting, in_flight), 0.0), 0.0
    for passed in looks:
        now += passed
        history = history.then(Load(waiting, in_flight), now, 60)
    known = history.known(now, 60.0)
    mean = history.mean(now, known)
    assert (mean.waiting, mean.in_flight) == pytest.approx((waiting, in_flight))
