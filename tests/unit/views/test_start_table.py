"""The parts of a cold start on this machine, from the status and from the worker's own marks."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from tidegate.views.start_table import start_parts, start_table

STATUS = {
    "api": "0.01",
    "scheduling": "0.02",
    "image": "0.00",
    "container": "0.10",
    "engine": "4.00",
    "load": "8.00",
    "firstByte": "0.30",
}
MARKS = {"parts": {"interpreter": 0.25, "imports": 3.0, "config": 0.74, "engine": 7.1, "serving": 0.6}}


def named(parts: Mapping[str, str], marks: Mapping[str, object]) -> dict[str, float]:
    """Seconds by name, in their order."""
    return {part.name: round(part.seconds, 6) for part in start_parts(parts, marks)}


def test_the_workers_marks_divide_two_parts_and_do_not_change_the_sum() -> None:
    parts = named(STATUS, MARKS)
    assert list(parts) == [
        *("queue", "process", "interpreter", "imports", "config", "engine", "serving", "first byte")
    ]
    assert parts["queue"] == 0.03
    assert parts["config"] == 0.75  # the rest of 4 s: the clocks of two processes differ a little
    assert parts["serving"] == 0.9
    assert sum(parts.values()) == pytest.approx(float(sum(map(Decimal, STATUS.values()))))


def test_a_worker_that_tells_nothing_has_undivided_parts() -> None:
    assert list(named(STATUS, {})) == ["queue", "process", "before load", "load", "first byte"]
    both = {"api": "0.01", "engineAndLoad": "5.00"}
    assert named(both, {}) == {"queue": 0.01, "process": 0.0, "engine and load": 5.0}


def test_a_mark_that_is_longer_than_its_part_takes_no_more_than_the_part() -> None:
    marks = {"parts": {"interpreter": 9.0, "imports": 9.0, "engine": 99.0}}
    parts = named(STATUS, marks)
    assert parts["interpreter"] == 4.0
    assert parts["engine"] == 8.0
    assert "imports" not in parts


def test_each_line_has_its_seconds_a_bar_of_its_share_and_what_it_means() -> None:
    lines = start_table(start_parts(STATUS, MARKS))
    engine = next(line for line in lines if " engine " in line and "weights" in line)
    assert engine.startswith("    7.10 s  engine")
    assert engine.count("█") == round(30 * 7.1 / 12.43)
    assert len({line.rindex("  ") for line in lines}) == 1  # explanations below each other


def test_numbers_that_cannot_be_read_count_as_none() -> None:
    assert start_table(start_parts({"api": "soon", "load": None}, {"parts": "none"}))  # no part is left out
