"""A gateway's demand port, and a worker's metrics, as small servers on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class FakeGateway:
    """Speaks the demand protocol: all that it knows, ``synced``, then what ``tell`` is given."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.counted: dict[str, Any] = {}  # the answer to /slo of any service
        self._lines: dict[str, dict[str, Any]] = {}
        self._listeners: set[asyncio.Queue[dict[str, Any] | None]] = set()

    def tell(self, service: str, **numbers: Any) -> None:
        """New numbers of a service: waiting, inFlight, idleSeconds."""
        line = {"service": service, "waiting": 0, "inFlight": 0, "idleSeconds": 0.0, "arrivals": 1, **numbers}
        self._lines[service] = line
        for listener in self._listeners:
            listener.put_nowait(line)

    def cut(self) -> None:
        """End every connection."""
        for listener in self._listeners:
            listener.put_nowait(None)

    async def demand(self, request: web.Request) -> web.StreamResponse:
        """GET /demand."""
        self.connections += 1
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        await response.prepare(request)
        listener: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        for line in [*self._lines.values(), {"synced": True}]:
            await response.write(json.dumps(line).encode() + b"\n")
        self._listeners.add(listener)
        try:
            while (line_or_end := await listener.get()) is not None:
                await response.write(json.dumps(line_or_end).encode() + b"\n")
        except ConnectionError:
            return response  # the operator is gone
        finally:
            self._listeners.discard(listener)
        return response

    async def slo(self, _: web.Request) -> web.Response:
        """GET /slo/<namespace>/<name>."""
        return web.json_response(self.counted, status=200 if self.counted else 404)


@asynccontextmanager
async def fake_gateway(port: int = 0) -> AsyncIterator[FakeGateway]:
    """A running one."""
    gateway = FakeGateway()
    routes = {"/demand": gateway.demand, "/slo/{namespace}/{name}": gateway.slo}
    async with serving(routes, port) as gateway.port:
        yield gateway


@asynccontextmanager
async def serving(routes: dict[str, Any], port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """These routes on a port of this machine."""
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
