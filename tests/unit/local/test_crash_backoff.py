"""The pause before a worker begins again."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tidegate.local.worker.crash_backoff import FORGOTTEN_SECONDS, LONGEST_SECONDS, Backoff


def test_pauses_are_those_of_a_kubelet() -> None:
    backoffs = accumulate([0.0] * 9, lambda before, healthy: before.after(healthy), initial=Backoff())
    assert [each.pause for each in backoffs] == [0, 0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_ends_are_forgotten_after_ten_minutes_of_health_and_not_before() -> None:
    often = Backoff(7)
    assert often.after(FORGOTTEN_SECONDS - 1).pause == LONGEST_SECONDS
    assert often.after(FORGOTTEN_SECONDS).pause == 0
    assert often.after(FORGOTTEN_SECONDS).after(0).pause == 10


@given(st.lists(st.floats(0, 2000, allow_nan=False), max_size=60))
def test_pauses_grow_until_there_is_health_and_are_never_longer_than_five_minutes(
    health: list[float],
) -> None:
    backoff = Backoff()
    for healthy in health:
        after = backoff.after(healthy)
        assert 0 <= after.pause <= LONGEST_SECONDS
        assert (after.pause == 0 and healthy >= FORGOTTEN_SECONDS) or after.pause >= backoff.pause
        backoff = after
