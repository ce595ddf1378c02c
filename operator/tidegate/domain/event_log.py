"""Which Events are written, and when: one for each piece of news, however often it repeats.

The same news of the same object is one Event whose series counts it, written at most once in five minutes.
New ones are bounded by two token buckets, one for each object and one for all, so that a thousand services
that fail at once do not cost a thousand writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tidegate.domain.events import COLD_START, Announcement
from tidegate.domain.token_bucket import TokenBucket

REPEAT_SECONDS = 300.0  # between two writes of one Event
FORGET_SECONDS = 600.0  # without news; the same after that is an Event of its own


@dataclass(frozen=True, slots=True)
class Regarded:
    """The object that an Event is about."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class EventWrite:
    """``count`` 1: create the Event; more: tell its series, last seen at ``at`` (Unix time)."""

    about: Regarded
    news: Announcement
    began: float
    at: float
    count: int


@dataclass
class _Entry:
    began: float
    seen: float
    written: float
    count: int = 1
    told: int = 1  # the count that was written


@dataclass
class EventLog:
    """``repeat``: seconds between two writes of one Event. ``all_burst`` and ``all_rate`` (a second) are for
    all objects, the others for each one.

    ``dropped`` counts the news that were not written, by why: ``flood`` (of all) or ``noisy`` (of one).
    """

    repeat: float = REPEAT_SECONDS
    all_burst: float = 100.0
    all_rate: float = 5.0
    one_burst: float = 10.0
    one_rate: float = 1.0 / 60.0
    one_spare: float = 5.0  # that cold starts leave to other news: each of them is an Event of its own
    dropped: Counter[str] = field(default_factory=Counter)
    _entries: dict[tuple[str, Announcement], _Entry] = field(default_factory=dict)
    _abouts: dict[str, Regarded] = field(default_factory=dict)
    _buckets: dict[str, TokenBucket] = field(default_factory=dict)
    _all: TokenBucket | None = None

    def offer(self, about: Regarded, news: Announcement, now: float) -> EventWrite | None:
        """Take a piece of news; what to write now, None: nothing, or not yet."""
        entry = self._entries.get((about.uid, news))
        if entry is not None:
            entry.count, entry.seen = entry.count + 1, now
            return self._repeat(about, news, entry, now)
        spare = self.one_spare if news.reason == COLD_START else 0.0
        if not self._may(about.uid, now, spare):
            return None
        self._entries[about.uid, news] = _Entry(began=now, seen=now, written=now)
        self._abouts[about.uid] = about
        return EventWrite(about, news, now, now, 1)

    def due(self, now: float) -> list[EventWrite]:
        """Repetitions that were held back and may be written now; what is old is forgotten."""
        writes = [
            write
            for (uid, news), entry in list(self._entries.items())
            if (write := self._repeat(self._abouts[uid], news, entry, now))
        ]
        self._forget(lambda entry: now >= entry.seen + FORGET_SECONDS and entry.told == entry.count, now)
        return writes

    def lost(self, about: Regarded, news: Announcement) -> None:
        """An Event could not be written, or is gone: the same news is a new Event."""
        self._entries.pop((about.uid, news), None)

    def next_due(self, now: float) -> float | None:
        """Seconds until ``due`` has something to do; None: nothing is held back or remembered."""
        times = [
            entry.written + self.repeat if entry.told < entry.count else entry.seen + FORGET_SECONDS
            for entry in self._entries.values()
        ]
        return max(0.0, min(times) - now) if times else None

    def _repeat(self, about: Regarded, news: Announcement, entry: _Entry, now: float) -> EventWrite | None:
        if entry.told == entry.count or now < entry.written + self.repeat:
            return None
        entry.written, entry.told = now, entry.count
        return EventWrite(about, news, entry.began, entry.seen, entry.count)

    def _may(self, uid: str, now: float, spare: float) -> bool:
        if self._all is None:
            self._all = TokenBucket(self.all_burst, self.all_rate)
        one = self._buckets.setdefault(uid, TokenBucket(self.one_burst, self.one_rate))
        if not one.has(now, spare):
            self.dropped["noisy"] += 1
            return False
        if not self._all.take(now):
            self.dropped["flood"] += 1
            return False
        return one.take(now)

    def _forget(self, old: Callable[[_Entry], bool], now: float) -> None:
        for key in [key for key, entry in self._entries.items() if old(entry)]:
            del self._entries[key]
        known = {uid for uid, _ in self._entries}
        self._abouts = {uid: about for uid, about in self._abouts.items() if uid in known}
        full = [uid for uid, bucket in self._buckets.items() if uid not in known and bucket.full(now)]
        for uid in full:
            del self._buckets[uid]
