"""Times, spans and counts as a person reads them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tidegate.views import words

NOON = 1795262400.0  # 2026-11-21 12:00:00 UTC


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (250, "4 min 10 s"),
        (599, "9 min 59 s"),
        (601, "10 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (86400, "1 day"),
        (90000, "1 day 1 h"),
        (3 * 86400 + 7200, "3 days 2 h"),
        (12 * 86400 + 7200, "12 days"),
        (-5, "0 s"),
    ],
)
def test_a_span_has_the_units_that_matter(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


def test_a_moment_of_another_day_has_its_date() -> None:
    assert words.clock(NOON, NOON) == "12:00:00 UTC"
    assert words.clock(NOON, NOON + 86400) == "2026-11-21 12:00:00 UTC"


def test_a_moment_says_how_far_it_is_away() -> None:
    assert words.at(NOON + 50, NOON) == "at 12:00:50 UTC (in 50 s)"
    assert words.at(NOON - 50, NOON) == "at 11:59:10 UTC (50 s ago)"


def test_since_says_nothing_of_a_moment_that_is_not_known() -> None:
    assert words.since(None, NOON) == ""
    assert words.since(NOON - 70, NOON) == "for 1 min 10 s, since 11:58:50 UTC"


def test_a_zones_clocks_say_day_and_zone() -> None:
    zone = "Asia/Ho_Chi_Minh"
    assert words.local(NOON, ZoneInfo(zone), zone) == "Sat 2026-11-21 19:00 Asia/Ho_Chi_Minh"


def test_counts_and_lists_are_english() -> None:
    assert [words.number(each, "worker") for each in (0, 1, 2)] == ["no worker", "1 worker", "2 workers"]
    assert [words.listed(list(each)) for each in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_a_sentence_ends_once() -> None:
    assert [words.sentence(each) for each in ("it is so", "it is so.", "is it so?")] == [
        "it is so.",
        "it is so.",
        "is it so?",
    ]
