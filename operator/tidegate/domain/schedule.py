"""Windows of time in which more workers are kept: when they begin, and what they ask for at a moment."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from tidegate.domain.cron import Cron

_FARTHEST_DAYS: Final = 8 * 366 + 2  # 29 February 2096 is followed by that of 2104
_MOST_EDGES: Final = 16  # windows that touch for longer are looked at again by then
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """``replicas`` workers at least, for ``seconds`` from each moment that ``cron`` names in ``zone``."""

    cron: Cron
    zone: tzinfo
    seconds: int
    replicas: int


@dataclass(frozen=True, slots=True)
class Minimum:
    """The workers that are asked for, and the Unix time until which that is so; None: for good."""

    replicas: int
    until: float | None


def zone_of(name: str) -> ZoneInfo:
    """The zone of the IANA database. ValueError where it has none of this name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there, not a name, a folder of zones
        raise ValueError(
            f"{name!r} is not a time zone of the IANA database; write one such as UTC or Europe/Berlin"
        ) from None


def minimum_at(windows: Sequence[Window], now: float) -> Minimum:
    """What the windows ask for at ``now``: where they overlap, the largest number; 0 outside of all."""
    replicas, edge = _asked(windows, now), _next_edge(windows, now)
    for _ in range(_MOST_EDGES):
        if edge is None or _asked(windows, edge) != replicas:
            break
        edge = _next_edge(windows, edge)
    return Minimum(replicas, edge)


def _asked(windows: Iterable[Window], now: float) -> int:
    return max((window.replicas for window in windows if _end(window, now) > now), default=0)


def _end(window: Window, now: float) -> float:
    """When the window that began last ends, 0 where none began that could still be open."""
    days = window.seconds // 86400 + 2  # a day may have 25 hours
    begun = last_at(window.cron, window.zone, now, days)
    return 0.0 if begun is None else begun + window.seconds


def _next_edge(windows: Iterable[Window], now: float) -> float | None:
    edges = [_edge(window, now) for window in windows]
    return min((edge for edge in edges if edge is not None), default=None)


def _edge(window: Window, now: float) -> float | None:
    """The end of a window that is open: to begin again before that changes nothing. Else its beginning."""
    end = _end(window, now)
    return end if end > now else next_after(window.cron, window.zone, now)


def next_after(cron: Cron, zone: tzinfo, moment: float) -> float | None:
    """The first time that ``cron`` names after a Unix time; None: not in the next eight years."""
    day = _day(zone, moment)
    for _ in range(_FARTHEST_DAYS):
        if cron.on(day):
            after = _passed(cron, zone, day, moment)
            if after < len(cron.times):
                return _instant(day, cron.times[after], zone)
        day += _DAY
    return None


def last_at(cron: Cron, zone: tzinfo, moment: float, days: int = _FARTHEST_DAYS) -> float | None:
    """The last time that ``cron`` names up to a Unix time, itself included; None: not in so many days."""
    day = _day(zone, moment) + _DAY  # clocks that went back past midnight have shown it already
    for _ in range(days + 1):
        if cron.on(day) and (after := _passed(cron, zone, day, moment)):
            return _instant(day, cron.times[after - 1], zone)
        day -= _DAY
    return None


def _day(zone: tzinfo, moment: float) -> date:
    return datetime.fromtimestamp(moment, zone).date()


def _passed(cron: Cron, zone: tzinfo, day: date, moment: float) -> int:
    """How many of a day's times are over, or come just now."""
    return bisect_right(cron.times, moment, key=lambda minute: _instant(day, minute, zone))


def _instant(day: date, minute: int, zone: tzinfo) -> float:
    """The Unix time of a minute of a day. One that clocks skip is the moment at which they do; one that they
    show twice is the first of the two. So the instants of a day ascend with its minutes."""
    local = datetime.combine(day, time(minute // 60, minute % 60), zone)
    instant = local.timestamp()
    if datetime.fromtimestamp(instant, zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    return _skip(zone, local.replace(fold=1).timestamp(), instant)


def _skip(zone: tzinfo, before: float, after: float) -> float:
    """The second, after ``before`` and up to ``after``, from which the zone's offset is that of ``after``."""
    low, high = int(before), int(after)
    offset = datetime.fromtimestamp(high, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        changed = datetime.fromtimestamp(middle, zone).utcoffset() == offset
        low, high = (low, middle) if changed else (middle, high)
    return float(high)
