"""How often a starting worker is asked."""

from __future__ import annotations

import pytest

from tidegate.domain.probe_pace import ProbeResult, pause_after

CLOSED, OPEN = ProbeResult.CLOSED, ProbeResult.OPEN


@pytest.mark.parametrize(
    ("result", "asked_for", "pause"),
    [
        (CLOSED, 0.0, 0.01),
        (CLOSED, 1.0, 0.01),
        (CLOSED, 5.0, 0.05),
        (CLOSED, 30.0, 0.3),
        (CLOSED, 900.0, 1.0),
        (OPEN, 0.0, 0.05),
        (OPEN, 5.0, 0.05),
        (OPEN, 30.0, 0.3),
    ],
)
def test_a_pause_is_a_hundredth_of_the_start_and_longer_where_something_listens(
    result: ProbeResult, asked_for: float, pause: float
) -> None:
    assert pause_after(result, asked_for, 0.01) == pytest.approx(pause)


@pytest.mark.parametrize(("seconds", "probes"), [(1.0, 101), (30.0, 445), (300.0, 780)])
def test_a_start_takes_few_probes_however_long_it_is(seconds: float, probes: int) -> None:
    asked_for, count = 0.0, 0
    while asked_for < seconds:
        asked_for += pause_after(CLOSED, asked_for, 0.01)
        count += 1
    assert count <= probes


def test_a_shortest_pause_above_the_open_ones_holds_for_both() -> None:
    assert pause_after(OPEN, 0.0, 0.2) == pause_after(CLOSED, 0.0, 0.2) == 0.2
