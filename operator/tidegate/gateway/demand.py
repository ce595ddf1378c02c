"""What the operator hears: the numbers of each service, as lines, whenever they changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from tidegate.domain.service import ServiceKey

COALESCE_SECONDS = 0.1  # from a change to its line: at most ten batches of lines a second, and a burst in one
HEARTBEAT_SECONDS = 5.0


class Demanding(Protocol):
    """A service as the operator sees it through a gateway."""

    key: ServiceKey

    def demand(self, *, everything: bool = False) -> dict[str, object]:
        """Its line. What changes after this must be told as changed, what changed before need not.
        ``everything``: for somebody who has heard nothing of it yet."""
        ...


class _Changes:
    """What one subscriber has not been told yet."""

    def __init__(self) -> None:
        self._keys: set[ServiceKey] = set()
        self._any = asyncio.Event()

    def add(self, key: ServiceKey) -> None:
        """A service's numbers changed."""
        self._keys.add(key)
        self._any.set()

    async def taken(self) -> list[ServiceKey]:
        """All changes until a moment after the first of them; none where there is none for long enough."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):  # wait_for may drop a cancellation (CPython 3.11)
                await self._any.wait()
            await asyncio.sleep(COALESCE_SECONDS)
        keys = list(self._keys)
        self._keys.clear()
        self._any.clear()
        return keys


class DemandFeed:
    """Tells each subscriber what changed; changes between two lines of a service are one.

    The moment is reckoned from the first change, not by a clock that ticks: the first requests of a burst
    would be told alone where they come right before a tick, and the service would grow in two steps.
    """

    def __init__(self, services: Callable[[], Iterable[Demanding]]) -> None:
        self._services = services
        self._subscribers: list[_Changes] = []

    def changed(self, key: ServiceKey) -> None:
        """A service's numbers changed, or it came or went."""
        for subscriber in self._subscribers:
            subscriber.add(key)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Lines of JSON: every service, ``{"synced": true}``, then changes and heartbeats, without end."""
        changes = _Changes()
        self._subscribers.append(changes)
        try:
            known = {service.key: service for service in self._services()}
            yield b"".join(_line(s.demand(everything=True)) for s in known.values()) + _line({"synced": True})
            while True:
                yield self._lines(await changes.taken()) or _line({})
        finally:
            self._subscribers.remove(changes)

    def _lines(self, keys: Iterable[ServiceKey]) -> bytes:
        known = {service.key: service for service in self._services()}
        return b"".join(
            _line(known[key].demand() if key in known else {"service": str(key), "removed": True})
            for key in keys
        )


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
