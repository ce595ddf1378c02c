"""A queue of keys: each key at most once in it, never worked on twice at a time, delayed where asked."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class KeyedQueue(Generic[K]):
    """``add`` and ``add_after`` from the event loop; ``take`` and ``done`` by each worker in turn."""

    def __init__(self) -> None:
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._running: set[K] = set()
        self._again: set[K] = set()  # added while running: taken up as soon as it is done
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._arrival = asyncio.Event()

    def __len__(self) -> int:
        return len(self._ready) + len(self._again)

    def add(self, key: K) -> None:
        """Have this key worked on now, or right after the pass that runs."""
        self._cancel_timer(key)
        if key in self._running:
            self._again.add(key)
        else:
            self._ready[key] = None
            self._arrival.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Have it worked on in so many seconds; of two delays the shorter one holds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, seconds)
        timer = self._timers.get(key)
        if timer and timer.when() <= due:
            return
        self._cancel_timer(key)
        self._timers[key] = loop.call_at(due, self.add, key)

    async def take(self) -> K:
        """The next key; ``done`` must follow, whatever happens."""
        while not self._ready:
            self._arrival.clear()
            await self._arrival.wait()
        key, _ = self._ready.popitem(last=False)
        self._running.add(key)
        return key

    def done(self, key: K) -> None:
        """The pass for this key has ended."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """Drop every key and every delay."""
        self._ready.clear()
        self._again.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _cancel_timer(self, key: K) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()


@dataclass
class Backoff(Generic[K]):
    """How long to wait after a failure: doubled each time for each key, with jitter; seconds."""

    jitter: Callable[[float, float], float]  # (lowest factor, highest factor) -> factor
    base: float = 0.5
    limit: float = 60.0
    _failures: dict[K, int] = field(default_factory=dict)

    def failed(self, key: K, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure: 0.5, 1, 2, 4, … 60, each times 0.5 to 1.

        ``at_least`` is what the server asked for; a tenth more at most, so that not all come back at once.
        """
        return max(at_least * self.jitter(1.0, 1.1), self._next(key))

    def _next(self, key: K) -> float:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        return min(self.limit, self.base * 2.0 ** min(count, 20)) * self.jitter(0.5, 1.0)

    def succeeded(self, key: K) -> None:
        """The next failure is a first one again."""
        self._failures.pop(key, None)
