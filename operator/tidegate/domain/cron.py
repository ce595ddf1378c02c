"""Five-field cron expressions, read as Kubernetes reads a CronJob's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

_MONTHS: Final = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS: Final = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days of each month in a leap year


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    number: str  # as a regular expression of one value
    names: Mapping[str, int]


_FIELDS: Final = (
    _Field("minute", 0, 59, "[0-5]?[0-9]", {}),
    _Field("hour", 0, 23, "([01]?[0-9]|2[0-3])", {}),
    _Field("day of month", 1, 31, "(0?[1-9]|[12][0-9]|3[01])", {}),
    _Field(
        "month",
        1,
        12,
        f"(0?[1-9]|1[0-2]|{'|'.join(_MONTHS)})",
        {name: number for number, name in enumerate(_MONTHS, 1)},
    ),
    _Field(
        "day of week",
        0,
        7,
        f"([0-7]|{'|'.join(_WEEKDAYS)})",
        {name: number for number, name in enumerate(_WEEKDAYS)},
    ),
)


def _pattern(field: _Field) -> str:
    step = "(/[1-9][0-9]?)?"
    item = f"(\\*{step}|{field.number}(-{field.number}{step})?)"
    return f"{item}(,{item})*"


PATTERN: Final = f"^(?i:{' +'.join(map(_pattern, _FIELDS))})$"
"""The form as a regular expression that Go and Python read alike. It lets through what only the values
tell: ranges that run backwards, days that no month has."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When something happens, on the clock of some place."""

    times: tuple[int, ...]  # minutes since midnight, ascending
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either: bool  # days and weekdays are both restricted: one of the two suffices

    def on(self, day: date) -> bool:
        """Whether it happens on this day."""
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        return day.month in self.months and (in_month or in_week if self.either else in_month and in_week)


def parse_cron(text: str) -> Cron:
    """``0 9 * * MON-FRI`` and the like. ValueError says which field is wrong, and how."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(parts)} fields and must have 5, such as 0 9 * * MON-FRI")
    minutes, hours, days, months, weekdays = map(_values, _FIELDS, parts)
    cron = Cron(
        times=tuple(hour * 60 + minute for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either=not (_every(parts[2]) or _every(parts[4])),
    )
    if not (cron.either or _ever(days, months)):
        raise ValueError(f"{text!r} never happens: no month that it names has a day that it names")
    return cron


def _every(part: str) -> bool:
    """Whether a field restricts nothing; ``*/2`` does, as in a CronJob."""
    return any(item in ("*", "*/1") for item in part.split(","))


def _ever(days: frozenset[int], months: frozenset[int]) -> bool:
    return any(min(days) <= _LONGEST[month - 1] for month in months)


def _values(field: _Field, part: str) -> frozenset[int]:
    return frozenset(value for item in part.split(",") for value in _item(field, item))


def _item(field: _Field, item: str) -> range:
    whole, slash, step = item.partition("/")
    first, dash, last = whole.partition("-")
    if slash and not (dash or whole == "*"):
        raise ValueError(
            f"{field.name}: {item!r} has a step without a range; write {whole}-{field.high}/{step}"
        )
    if slash and not (re.fullmatch("[0-9]{1,2}", step) and int(step)):
        raise ValueError(f"{field.name}: {item!r} has a step that is not a number from 1 to 99")
    if whole == "*":
        low, high = field.low, field.high
    else:
        low, high = (
            _number(field, first),
            _number(field, last, ends_range=True) if dash else _number(field, first),
        )
    if low > high:
        raise ValueError(f"{field.name}: the range {whole!r} runs backwards; write two ranges with a comma")
    return range(low, high + 1, int(step or 1))


def _number(field: _Field, text: str, *, ends_range: bool = False) -> int:
    """FRI-SUN is a weekend: as a range's end, Sunday is day 7."""
    named = field.names.get(text.upper())
    if named is not None:
        return 7 if ends_range and field.high == 7 and named == 0 else named
    if re.fullmatch("[0-9]{1,2}", text) and field.low <= int(text) <= field.high:
        return int(text)
    names = f", or {', '.join(field.names)}" if field.names else ""
    raise ValueError(f"{field.name}: {text!r} is not a number from {field.low} to {field.high}{names}")
