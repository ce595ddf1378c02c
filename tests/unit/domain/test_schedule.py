"""Occurrences against a walker that looks at every minute, with every kind of change of the clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.cron import Cron, parse_cron
from tidegate.domain.schedule import Minimum, Window, last_at, minimum_at, next_after, zone_of

HANOI, BERLIN = ZoneInfo("Asia/Ho_Chi_Minh"), ZoneInfo("Europe/Berlin")


def unix(text: str, zone: ZoneInfo | None = None) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()


def text(moment: float | None, zone: ZoneInfo) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, zone).isoformat()


def test_the_next_and_the_last_time_on_the_clock_of_a_place() -> None:
    cron, noon = parse_cron("0 9 * * 1-5"), unix("2026-11-21T12:00:00")  # a Saturday
    assert text(next_after(cron, HANOI, noon), HANOI) == "2026-11-23T09:00:00+07:00"
    assert text(last_at(cron, HANOI, noon), HANOI) == "2026-11-20T09:00:00+07:00"


def test_a_time_itself_is_its_last_and_not_its_next() -> None:
    cron, nine = parse_cron("0 9 * * *"), unix("2026-11-20T09:00:00", HANOI)
    assert last_at(cron, HANOI, nine) == nine
    assert next_after(cron, HANOI, nine) == nine + 86400
    assert last_at(cron, HANOI, nine - 1) == nine - 86400
    assert next_after(cron, HANOI, nine - 1) == nine


def test_a_time_that_the_clocks_skip_comes_as_soon_as_they_go_on() -> None:
    cron = parse_cron("30 2 * * *")  # 02:00 was followed by 03:00 on 29 March 2026
    found = next_after(cron, BERLIN, unix("2026-03-28T12:00:00"))
    assert text(found, BERLIN) == "2026-03-29T03:00:00+02:00"
    assert text(next_after(cron, BERLIN, found or 0.0), BERLIN) == "2026-03-30T02:30:00+02:00"


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    cron = parse_cron("30 2 * * *")  # 03:00 was followed by 02:00 on 25 October 2026
    found = next_after(cron, BERLIN, unix("2026-10-24T12:00:00"))
    assert text(found, BERLIN) == "2026-10-25T02:30:00+02:00"
    assert text(next_after(cron, BERLIN, found or 0.0), BERLIN) == "2026-10-26T02:30:00+01:00"


def test_a_midnight_that_the_clocks_show_twice_was_the_first_of_the_two() -> None:
    zone, midnight = ZoneInfo("America/St_Johns"), parse_cron("0 0 * * *")  # 00:01 was followed by 23:01
    again = unix("2010-11-07T02:45:00")  # 23:15 for the second time
    assert text(last_at(midnight, zone, again), zone) == "2010-11-07T00:00:00-02:30"
    assert text(next_after(midnight, zone, again), zone) == "2010-11-08T00:00:00-03:30"


def test_a_leap_day_is_found_across_a_century() -> None:
    found = next_after(parse_cron("0 0 29 2 *"), zone_of("UTC"), unix("2096-03-01T00:00:00"))
    assert text(found, zone_of("UTC")) == "2104-02-29T00:00:00+00:00"


# Around each: clocks go forward, back, back past midnight, forward at midnight, by half an hour, over a whole
# day; and one place where they never change.
CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-11-01"),
    ("America/Havana", "2026-11-01"),
    ("America/St_Johns", "2010-11-07"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Ho_Chi_Minh", "2026-02-28"),
]
MINUTES = st.sampled_from(["*", "*/7", "0", "30", "59", "15,45", "*/30", "10-50/20"])
HOURS = st.sampled_from(["*", "0", "1", "2", "3", "23", "*/2", "0-3", "1,23"])
CRONS = st.builds(
    lambda minute, hour, day, month, week: parse_cron(f"{minute} {hour} {day} {month} {week}"),
    MINUTES,
    HOURS,
    st.sampled_from(["*", "1", "29-31", "*/2"]),
    st.sampled_from(["*", "*", "10-12"]),
    st.sampled_from(["*", "*", "SUN", "1-5"]),
)


def walked(cron: Cron, zone: ZoneInfo, begin: datetime, end: datetime) -> list[float]:
    """Every minute is looked at: what its clock shows for the first time, and what it has skipped."""
    found, seen = [], begin.astimezone(zone).replace(tzinfo=None) - timedelta(minutes=1)
    moment = begin
    while moment < end:
        local = moment.astimezone(zone).replace(tzinfo=None)
        if any(_matches(cron, shown) for shown in _new_minutes(seen, local)):
            found.append(moment.timestamp())
        seen = max(seen, local)
        moment += timedelta(minutes=1)
    return found


def _new_minutes(seen: datetime, local: datetime) -> Iterator[datetime]:
    while seen < local:
        seen += timedelta(minutes=1)
        yield seen


def _matches(cron: Cron, local: datetime) -> bool:
    return local.hour * 60 + local.minute in cron.times and cron.on(local.date())


@settings(max_examples=60, deadline=None)
@given(CRONS, st.sampled_from(CHANGES))
def test_the_occurrences_are_those_of_a_walk_through_all_minutes(cron: Cron, change: tuple[str, str]) -> None:
    zone, middle = ZoneInfo(change[0]), datetime.fromisoformat(change[1]).replace(tzinfo=UTC)
    begin, end = middle - timedelta(days=2), middle + timedelta(days=2)
    expected = [
        each for each in walked(cron, zone, begin - timedelta(days=1), end) if each >= begin.timestamp()
    ]
    forwards, moment = [], next_after(cron, zone, begin.timestamp() - 1)
    while moment is not None and moment < end.timestamp():
        forwards.append(moment)
        moment = next_after(cron, zone, moment)
    assert forwards == expected
    backwards, moment = [], last_at(cron, zone, end.timestamp() - 1)
    while moment is not None and moment >= begin.timestamp():
        backwards.append(moment)
        moment = last_at(cron, zone, moment - 1)
    assert backwards[::-1] == expected


def window(cron: str, seconds: int, replicas: int, zone: ZoneInfo = HANOI) -> Window:
    return Window(parse_cron(cron), zone, seconds, replicas)


OFFICE = window("0 9 * * 1-5", 8 * 3600, 2)


@pytest.mark.parametrize(
    ("now", "replicas", "until"),
    [
        ("2026-11-20T08:59:59", 0, "2026-11-20T09:00:00"),
        ("2026-11-20T09:00:00", 2, "2026-11-20T17:00:00"),
        ("2026-11-20T16:59:59", 2, "2026-11-20T17:00:00"),
        ("2026-11-20T17:00:00", 0, "2026-11-23T09:00:00"),
    ],
)
def test_a_window_begins_with_its_time_and_ends_after_its_seconds(
    now: str, replicas: int, until: str
) -> None:
    assert minimum_at([OFFICE], unix(now, HANOI)) == Minimum(replicas, unix(until, HANOI))


def test_where_windows_overlap_the_largest_number_holds() -> None:
    rush = window("0 12 * * *", 3600, 5)
    night = window("0 12 * * *", 4 * 3600, 1)
    at = [minimum_at([OFFICE, rush, night], unix(f"2026-11-20T{hour}:30:00", HANOI)) for hour in (11, 12, 13)]
    assert [each.replicas for each in at] == [2, 5, 2]
    assert at[2].until == unix("2026-11-20T17:00:00", HANOI), "the end of what asks for less is no edge"


def test_windows_that_touch_are_one() -> None:
    hourly = window("0 * * * *", 3600, 1)
    found = minimum_at([hourly], unix("2026-11-20T09:30:00", HANOI))
    assert found.replicas == 1
    assert found.until is not None
    assert found.until >= unix("2026-11-21T00:00:00", HANOI)


def test_without_windows_nothing_is_asked_for_and_nothing_will_be() -> None:
    assert minimum_at([], 0.0) == Minimum(0, None)


def test_a_window_keeps_its_length_when_the_clocks_change_in_it() -> None:
    saturday = window("0 22 * * SAT", 6 * 3600, 1, BERLIN)
    assert (
        minimum_at([saturday], unix("2026-03-29T01:30:00", BERLIN)).until
        == unix("2026-03-28T22:00:00", BERLIN) + 6 * 3600
    )


WINDOWS = st.lists(
    st.builds(
        lambda cron, zone, seconds, replicas: Window(cron, ZoneInfo(zone), seconds, replicas),
        CRONS,
        st.sampled_from(["Europe/Berlin", "Asia/Ho_Chi_Minh", "UTC"]),
        st.sampled_from([60, 600, 3600, 30 * 3600]),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, st.integers(0, 3 * 24 * 60))
def test_the_minimum_is_that_of_every_minute_and_holds_until_it_says(
    windows: list[Window], minutes: int
) -> None:
    begin = datetime(2026, 3, 28, tzinfo=UTC)
    now = (begin + timedelta(minutes=minutes)).timestamp() + 30.0

    def asked(moment: float) -> int:
        return max(
            (each.replicas for each, start in begun if start <= moment < start + each.seconds), default=0
        )

    day, horizon = timedelta(days=1), now + 2 * 86400
    end = datetime.fromtimestamp(horizon, UTC)
    begun = [
        (each, start)
        for each in windows
        for start in walked(each.cron, each.zone, begin - 3 * day, end)  # type: ignore[arg-type]
    ]
    found = minimum_at(windows, now)
    assert found.replicas == asked(now)
    until = min(found.until or horizon, horizon)
    moment = now
    while moment < until:
        assert asked(moment) == found.replicas
        moment += 60.0


@pytest.mark.parametrize(
    "name", ["Mars/Base", "", "../etc/passwd", "Europe", "/etc/localtime", "a" * 70, "\0"]
)
def test_a_zone_that_there_is_not_is_said(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone of the IANA database; write one such as UTC"):
        zone_of(name)


@pytest.mark.parametrize("name", ["UTC", "Asia/Ho_Chi_Minh", "America/Argentina/Buenos_Aires", "Etc/GMT+7"])
def test_zones_are_known(name: str) -> None:
    assert zone_of(name).key == name
