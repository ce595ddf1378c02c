"""The pauses between the wakes of a service for which no worker has come yet."""

from __future__ import annotations

import pytest

from tidegate.domain.wake_pace import WakePace, WakeResult

RAISED, UNCHANGED, REFUSED = WakeResult.RAISED, WakeResult.UNCHANGED, WakeResult.REFUSED


@pytest.mark.parametrize(
    ("results", "pauses"),
    [
        ([REFUSED] * 7, [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1]),
        ([UNCHANGED] * 8, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]),
        ([RAISED, UNCHANGED, UNCHANGED], [5, 5, 5]),
        ([RAISED, RAISED], [5, 5]),
        ([RAISED, REFUSED, REFUSED], [5, 0.05, 0.1]),
        ([REFUSED, REFUSED, UNCHANGED, UNCHANGED], [0.05, 0.1, 0.1, 0.2]),
        ([UNCHANGED, UNCHANGED, REFUSED], [0.1, 0.2, 0.05]),
        ([REFUSED, RAISED, UNCHANGED], [0.05, 5, 5]),
    ],
)
def test_a_refusal_is_tried_again_soon_and_a_raised_scale_is_looked_at_more_rarely(
    results: list[WakeResult], pauses: list[float]
) -> None:
    pace = WakePace(1.0)
    assert [pace.after(result) for result in results] == pytest.approx(pauses)


def test_every_pause_is_a_share_of_the_interval() -> None:
    pace = WakePace(0.02)
    assert [pace.after(REFUSED) for _ in range(7)][-1] == 0.02
    assert [pace.after(UNCHANGED) for _ in range(8)][-1] == pytest.approx(0.1)
