"""The connections to one worker: the one used last is used first, old ones are closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from tidegate.domain.flow_ticket import EndpointKey
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.upstream import Upstream


class Pool:
    """Keeps idle connections to ``key`` and makes new ones."""

    __slots__ = ("_idle", "_retired", "_settings", "_time", "authority", "key", "opened")

    def __init__(self, key: EndpointKey, settings: GatewaySettings, time: Callable[[], float]) -> None:
        self.key = key
        host = f"[{key.host}]" if ":" in key.host else key.host
        self.authority = f"{host}:{key.port}".encode()
        self.opened = 0
        self._settings = settings
        self._time = time
        self._idle: list[Upstream] = []
        self._retired = False

    def take(self) -> Upstream | None:
        """An idle connection, or None."""
        while self._idle:
            upstream = self._idle.pop()
            if upstream.usable:
                return upstream
        return None

    async def connect(self) -> Upstream:
        """A new connection. OSError or TimeoutError where the worker does not accept in time."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._settings.connect_timeout or None):
            upstream = Upstream(self.release)
            protocol = cast(asyncio.Protocol, upstream)
            await loop.create_connection(lambda: protocol, self.key.host, self.key.port)
        self.opened += 1
        return upstream

    def release(self, upstream: Upstream) -> None:
        """A connection has done its work, or is broken."""
        if not upstream.usable:
            if upstream in self._idle:
                self._idle.remove(upstream)
        elif self._retired:
            upstream.close()
        else:
            upstream.idle_since = self._time()
            self._idle.append(upstream)

    def sweep(self, now: float) -> None:
        """Closes what has been idle for long: the worker would, and a request might meet that."""
        oldest = now - self._settings.upstream_idle_timeout
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.pop(0).close()

    def retire(self) -> None:
        """The endpoint is gone: idle connections are closed now, busy ones after their answer."""
        self._retired = True
        while self._idle:
            self._idle.pop().close()
