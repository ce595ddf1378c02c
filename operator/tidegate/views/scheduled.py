"""The next moment at which a schedule begins or ends."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.api.scaling import Schedule, windows_of
from tidegate.domain.schedule import Minimum, minimum_at, zone_of
from tidegate.views import words
from tidegate.views.topic import Expected


def next_edge(schedules: Sequence[Schedule], now: float) -> tuple[str, Expected] | None:
    """The sentence, and the same for programs; None: no schedule changes anything any more."""
    windows = windows_of(tuple(schedules))
    held = minimum_at(windows, now)
    if held.until is None:
        return None
    edges = {minimum_at((window,), now).until: each for window, each in zip(windows, schedules, strict=True)}
    schedule, after = edges.get(held.until), minimum_at(windows, held.until)
    text = _sentence(schedule or schedules[0], held, after, now)
    return text, Expected("Schedule", None, held.until, held.until)


def _sentence(schedule: Schedule, held: Minimum, after: Minimum, now: float) -> str:
    until = held.until or now
    clocks = words.local(until, zone_of(schedule.time_zone), schedule.time_zone)
    what = f"the schedule “{schedule.cron}”"
    if after.replicas > held.replicas:
        event = f"{what} begins and keeps {words.count(after.replicas, 'worker')}"
    elif after.replicas:
        event = f"{what} ends, and schedules keep {words.count(after.replicas, 'worker')} from then on"
    else:
        event = f"{what} ends, which keeps {words.count(held.replicas, 'worker')} until then"
    return f"At {clocks} (in {words.span(until - now)}) {event}."
