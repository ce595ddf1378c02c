"""A gateway in the process of what starts its workers: each asks the other by calls."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from tidegate.domain.service import ServiceKey
from tidegate.gateway.server import Gateway
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.slo import slo_counts
from tidegate.gateway.substrate import Sink, Substrate

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not listened on


class GatewayBeside:
    """Used as a context: it listens inside it, and knows no service before ``serve``."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._behind = _Behind()
        self._gateway = Gateway(settings, self._behind)
        self._began, self._instance = time.monotonic(), uuid.uuid4().hex
        self._ports = (0, 0)

    async def __aenter__(self) -> Self:
        await self._gateway.__aenter__()
        self._ports = self._gateway.port, self._gateway.admin_port
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._gateway.__aexit__(kind, error, trace)

    def serve(self, substrate: Substrate) -> None:
        """The services of this substrate, from now on."""
        self._behind.known.set_result(substrate)

    @property
    def url(self) -> str:
        """Where clients of this machine send their requests, and sent them where it drains."""
        return _url(self._settings.listen_host, self._ports[0])

    @property
    def ports(self) -> tuple[int, int]:
        """Of the clients, and of the metrics."""
        return self._ports

    @property
    def admin_url(self) -> str:
        """Metrics and status."""
        return _url(self._settings.admin_host, self._ports[1])

    @property
    def requests(self) -> int:
        """That wait or run, of all services, also of those that have no manifest any more."""
        return sum(connection.current is not None for connection in self._gateway.traffic.connections)

    def demand(self) -> AsyncIterator[bytes]:
        """The lines that the admin port's /demand has."""
        return self._gateway.fleet.demand.subscribe()

    def busy(self, key: ServiceKey) -> bool:
        """Whether a request of this service waits or runs at this moment."""
        service = self._gateway.fleet.services.get(key)
        return service is not None and service.flow.depth > 0

    def counts(self, key: ServiceKey) -> dict[str, object] | None:
        """What the admin port's /slo has of a service; None: it knows none such."""
        counted = slo_counts(self._gateway.traffic, key)
        if counted is None:
            return None
        uptime = round(time.monotonic() - self._began, 3)
        return {**counted, "instance": self._instance, "uptimeSeconds": uptime}

    async def drain(self) -> None:
        """See Gateway.drain."""
        await self._gateway.drain()


class _Behind:
    """The substrate, before there is one: its settings name the port, which the gateway must have first."""

    def __init__(self) -> None:
        self.known: asyncio.Future[Substrate] = asyncio.get_running_loop().create_future()

    async def watch(self, sink: Sink) -> None:
        """See Substrate."""
        substrate = await asyncio.shield(self.known)
        await substrate.watch(sink)

    async def wake(self, key: ServiceKey) -> bool:
        """See Substrate; nobody can ask before a service is known."""
        return await self.known.result().wake(key)


def _url(host: str, port: int) -> str:
    host = _ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
