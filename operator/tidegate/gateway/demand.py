"""What the operator hears: the numbers of each service, as lines, whenever they changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from tidegate.domain.service import ServiceKey

COALESCE_SECONDS = 0.1  # at most ten batches of lines a second
HEARTBEAT_SECONDS = 5.0


class Demanding(Protocol):
    """A service as the operator sees it through a gateway."""

    key: ServiceKey

    def demand(self, *, everything: bool = False) -> dict[str, object]:
        """Its line. What changes after this must be told as changed, what changed before need not.
        ``everything``: for somebody who has heard nothing of it yet."""
        ...


class DemandFeed:
    """Tells each subscriber what changed; changes between two lines of a service are one."""

    def __init__(self, services: Callable[[], Iterable[Demanding]]) -> None:
        self._services = services
        self._subscribers: list[set[ServiceKey]] = []

    def changed(self, key: ServiceKey) -> None:
        """A service's numbers changed, or it came or went."""
        for subscriber in self._subscribers:
            subscriber.add(key)

    async def subscribe(self) -> AsyncIterator[bytes]:
        """Lines of JSON: every service, ``{"synced": true}``, then changes and heartbeats, without end."""
        changed: set[ServiceKey] = set()
        self._subscribers.append(changed)
        try:
            known = {service.key: service for service in self._services()}
            yield b"".join(_line(s.demand(everything=True)) for s in known.values()) + _line({"synced": True})
            calm = 0.0
            while True:
                await asyncio.sleep(COALESCE_SECONDS)
                calm += COALESCE_SECONDS
                if changed or calm >= HEARTBEAT_SECONDS:
                    calm = 0.0
                    keys = list(changed)
                    changed.clear()
                    yield self._lines(keys) or _line({})
        finally:
            self._subscribers.remove(changed)

    def _lines(self, keys: Iterable[ServiceKey]) -> bytes:
        known = {service.key: service for service in self._services()}
        return b"".join(
            _line(known[key].demand() if key in known else {"service": str(key), "removed": True})
            for key in keys
        )


def _line(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
