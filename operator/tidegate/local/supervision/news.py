"""What happened to the services of this machine: the last of it, for whoever describes one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.events import NORMAL, Announcement, announcements
from tidegate.domain.loose import Json, mapping, text
from tidegate.domain.service import ServiceKey
from tidegate.views.event import Event

MOST: Final = 40  # of one service


@dataclass(frozen=True, slots=True)
class Change:
    """What one change of a status says. ``phase`` is empty where it stayed; ``was``: the one before."""

    key: ServiceKey
    phase: str
    news: tuple[Announcement, ...]
    was: str = ""


class News:
    """Kept in memory: a new process knows nothing of what was before it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._events: dict[str, deque[Event]] = {}

    def take(self, before: Json, after: Json) -> Change:
        """A service's document before and after a change; ``after`` empty: it is gone."""
        metadata = mapping((after or before).get("metadata"))
        key = ServiceKey(text(metadata.get("namespace")), text(metadata.get("name")))
        if not after:
            self._events.pop(str(key), None)
            return Change(key, "", ())
        change = _change(key, mapping(before.get("status")), mapping(after.get("status")))
        for each in _as_events(change, self._now()):
            self._add(str(key), each)
        return change

    def all(self) -> dict[str, Sequence[Event]]:
        """By ``namespace/name``, oldest first."""
        return {key: tuple(events) for key, events in self._events.items()}

    def _add(self, key: str, event: Event) -> None:
        events = self._events.setdefault(key, deque(maxlen=MOST))
        for place, each in enumerate(events):
            if (each.type, each.reason, each.note) == (event.type, event.reason, event.note):
                del events[place]
                event = replace(event, first=each.first, count=each.count + 1)
                break
        events.append(event)


def _change(key: ServiceKey, before: Json, after: Json) -> Change:
    why = text(mapping(after.get("scaling")).get("message"))
    phase = text(after.get("phase"))
    was = text(before.get("phase"))
    news = tuple(announcements(before, after, why)) if before else ()
    return Change(key, phase if phase != was else "", news, was)


def _as_events(change: Change, now: float) -> list[Event]:
    phase = [Event(NORMAL, change.phase, f"the phase is {change.phase}", now, now)] if change.phase else []
    return [*(Event(each.type, each.reason, each.note, now, now) for each in change.news), *phase]
