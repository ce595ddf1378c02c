import re
from datetime import date, timedelta

import pytest

from tidegate.domain.cron import PATTERN, Cron, parse_cron

EVERY_DAY = [date(2026, 1, 1) + timedelta(days=count) for count in range(365)]


def days(text: str, month: int) -> list[int]:
    cron = parse_cron(text)
    return [day.day for day in EVERY_DAY if day.month == month and cron.on(day)]


def test_the_plain_case() -> None:
    cron = parse_cron("30 9 * * MON-FRI")
    assert cron.times == (570,)
    assert cron.weekdays == {1, 2, 3, 4, 5}
    assert cron.on(date(2026, 1, 2))
    assert not cron.on(date(2026, 1, 3)), "a Saturday"


@pytest.mark.parametrize(
    ("minutes", "times"),
    [
        ("*/20", (0, 20, 40)),
        ("5-20/15", (5, 20)),
        ("1,2,59", (1, 2, 59)),
        ("07", (7,)),
        ("0-2,1-3", (0, 1, 2, 3)),
        ("*/99", (0,)),
    ],
)
def test_lists_ranges_and_steps(minutes: str, times: tuple[int, ...]) -> None:
    assert parse_cron(f"{minutes} 0 * * *").times == times


@pytest.mark.parametrize("sunday", ["0", "7", "SUN", "sun"])
def test_sunday_has_two_numbers_and_a_name(sunday: str) -> None:
    assert days(f"0 0 * * {sunday}", 3) == [1, 8, 15, 22, 29]


@pytest.mark.parametrize("weekend", ["5-7", "FRI-SUN", "FRI,SAT,SUN", "fri-7"])
def test_a_range_may_end_on_sunday(weekend: str) -> None:
    assert parse_cron(f"0 0 * * {weekend}").weekdays == {5, 6, 0}


def test_a_range_may_begin_on_sunday() -> None:
    assert parse_cron("0 0 * * SUN-TUE").weekdays == {0, 1, 2}


def test_days_of_month_and_of_week_that_are_both_restricted_count_both() -> None:
    assert days("0 0 13 * FRI", 3) == [6, 13, 20, 27]
    assert days("0 0 14 * FRI", 3) == [6, 13, 14, 20, 27]
    assert days("0 0 14 * *", 3) == [14]
    assert days("0 0 * * FRI", 3) == [6, 13, 20, 27]
    assert days("0 0 */10 * FRI", 3) == [1, 6, 11, 13, 20, 21, 27, 31], "a step restricts"
    assert days("0 0 */1 * FRI", 3) == [6, 13, 20, 27], "one of 1 does not"


def test_months_have_names() -> None:
    assert parse_cron("0 0 1 jan,NOV-DEC *").months == {1, 11, 12}


WRONG_IN_VALUE = [
    ("0 17-9 * * *", "hour: the range '17-9' runs backwards; write two ranges"),
    ("0 0 31 2 *", "never happens"),
    ("0 0 30-31 FEB *", "never happens"),
    ("0 0 31 4,6,9,11 *", "never happens"),
    ("0 0 * * SAT-MON", "day of week: the range 'SAT-MON' runs backwards"),
]
WRONG_IN_FORM = [
    ("0 0 * *", "has 4 fields and must have 5"),
    ("0 0 0 * * *", "has 6 fields and must have 5"),
    ("@daily", "has 1 fields"),
    ("60 0 * * *", "minute: '60' is not a number from 0 to 59"),
    ("0 24 * * *", "hour: '24' is not a number from 0 to 23"),
    ("0 0 0 * *", "day of month: '0' is not"),
    ("0 0 * 13 *", "month: '13' is not a number from 1 to 12, or JAN, FEB"),
    ("0 0 * MAI *", "month: 'MAI' is not"),
    ("0 0 * * 8", "day of week: '8' is not"),
    ("5/15 * * * *", "minute: '5/15' has a step without a range; write 5-59/15"),
    ("*/0 * * * *", "a step that is not a number from 1 to 99"),
    ("*/x * * * *", "a step that is not a number"),
    ("1- * * * *", "minute: '' is not"),
    (",1 * * * *", "minute: '' is not"),
    ("-1 * * * *", "minute: '' is not"),
    ("\u0661 * * * *", "minute"),
    ("0 0 L * *", "day of month: 'L' is not"),
    ("0 0 ? * *", "day of month: '?' is not"),
]


@pytest.mark.parametrize(("text", "sentence"), WRONG_IN_VALUE + WRONG_IN_FORM)
def test_what_is_wrong_is_said_with_its_field(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parse_cron(text)


@pytest.mark.parametrize("text", [text for text, _ in WRONG_IN_FORM])
def test_the_pattern_refuses_what_has_the_wrong_form(text: str) -> None:
    assert not re.match(PATTERN, text)


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "0  9 * * 1-5", "*/5 0-23/2 1,15,31 jan-Dec sun-7", "00 09 01 01 7", "0 0 29 2 *"],
)
def test_the_pattern_lets_through_what_can_be_read(text: str) -> None:
    assert re.match(PATTERN, text)
    assert isinstance(parse_cron(text), Cron)
