"""A deadline and a grace, whatever somebody does to the machine's clock."""

from __future__ import annotations

import pytest

from tidegate.local.worker.life_pace import LifePace
from tidegate.local.worker.pod_state import Process

PROCESS = Process(4711, 1, "boot", 1000.0)
HOUR = 3600.0


@pytest.mark.parametrize(("now", "age"), [(1005.0, 5.0), (1000.0 - HOUR, 0.0), (1000.0 + HOUR, 30.0)])
async def test_an_adopted_process_is_as_old_as_its_record_says_within_its_deadline(
    now: float, age: float
) -> None:
    pace = LifePace(30.0, 10.0)
    found = pace.age(PROCESS, now)
    assert age <= found < age + HOUR / 2
    assert found <= pace.age(PROCESS, now - HOUR) < age + HOUR / 2, "the clock is looked at once"


async def test_the_age_of_a_process_of_ours_needs_no_clock_of_the_machine() -> None:
    pace = LifePace(30.0, 10.0)
    pace.begun(PROCESS)
    assert pace.age(PROCESS, 1000.0 + HOUR) < HOUR / 2


async def test_the_grace_is_never_longer_than_it_was_and_never_less_than_nothing() -> None:
    assert LifePace(30.0, 10.0).grace(None, 0.0) == 10.0
    assert 0.0 < LifePace(30.0, 10.0).grace(1000.0, 1000.0 - HOUR) <= 10.0
    assert LifePace(30.0, 10.0).grace(1000.0, 1000.0 + HOUR) == 0.0


async def test_the_grace_of_one_that_was_deleted_here_needs_no_clock_of_the_machine() -> None:
    pace = LifePace(30.0, 2 * HOUR)
    pace.deleted()
    assert pace.grace(1000.0, 1000.0 + 9 * HOUR) > HOUR
