"""What was needed lately, against the list of all looks."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.surplus import NeedHistory

LOOKS = st.lists(st.tuples(st.floats(0, 200), st.integers(0, 9)), min_size=1, max_size=30)


@given(st.integers(0, 9), LOOKS, st.floats(0, 300))
def test_the_highest_is_the_largest_number_that_held_within_the_delay(
    first: int, looks: list[tuple[float, int]], delay: float
) -> None:
    history, now, held = NeedHistory(first), 0.0, [(0.0, first)]
    for passed, need in looks:
        now += passed
        ends = [begin for begin, _ in held[1:]] + [now]
        within = [number for (_, number), end in zip(held, ends, strict=True) if end + delay > now]
        history = history.then(need, now, delay)
        assert history.highest == max([need, *within])
        held.append((now, need))
        assert len(history.past) <= 9, "it does not grow with time"


def test_it_tells_when_less_will_be_enough() -> None:
    history = NeedHistory(4).then(2, 100.0, 60.0).then(1, 110.0, 60.0)
    assert (history.highest, history.falls_after(110.0, 60.0)) == (4, 50.0)
    later = history.then(1, 160.0, 60.0)
    assert (later.highest, later.falls_after(160.0, 60.0)) == (2, 10.0)
    assert later.then(1, 170.0, 60.0) == NeedHistory(1)
    assert NeedHistory(1).falls_after(0.0, 60.0) is None


def test_without_a_delay_nothing_is_remembered() -> None:
    assert NeedHistory(4).then(1, 100.0, 0.0) == NeedHistory(1)
