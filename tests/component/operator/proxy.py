"""A proxy before the API server that writes down every write and can make watches lose what happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tidegate.devcluster import ApiServer

_GONE = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
}
_HOP_BY_HOP = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


@dataclass(frozen=True)
class Write:
    """One request that was not a mere read, and how it was answered."""

    method: str
    path: str
    status: int


@dataclass
class ApiProxy:
    """Plain HTTP on this side, the administrator's certificate on the other."""

    server: ApiServer
    session: aiohttp.ClientSession
    port: int = 0
    writes: list[Write] = field(default_factory=list)
    garbage: bool = False  # watches get a line that no API server would send
    _mended: asyncio.Event = field(default_factory=asyncio.Event)
    _expired: set[str] = field(default_factory=set)
    _watches: set[asyncio.Task[web.StreamResponse]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._mended.set()

    def break_watches(self) -> None:
        """End every watch and let none begin until ``mend_watches``."""
        self._mended.clear()
        for task in self._watches:
            task.cancel()

    def mend_watches(self) -> None:
        """Watches go on, but the first one of each kind is told that it is too old: what was deleted
        meanwhile is reported by nobody."""
        self._expired = {"deployments", "poddisruptionbudgets", "pods", "services", "inferenceservices"}
        self.resume_watches()

    def resume_watches(self) -> None:
        """Watches go on where they were."""
        self._mended.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on."""
        try:
            return await self._pass_on(request)
        except aiohttp.ClientError:
            if request.transport:
                request.transport.abort()  # as if this were the API server itself
            raise

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        async with self._forward(request) as answer:
            body = await answer.read()
            if request.method != "GET":
                self.writes.append(Write(request.method, request.path, answer.status))
            return web.Response(status=answer.status, body=body, content_type="application/json")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        await self._mended.wait()
        kind = request.path.rsplit("/", 1)[1]
        if kind in self._expired:
            self._expired.discard(kind)
            return web.json_response(_GONE, dumps=lambda line: json.dumps(line) + "\n")
        if self.garbage:
            return web.json_response({"kind": "Status"})
        task = asyncio.create_task(self._stream(request))
        self._watches.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if request.transport:
                request.transport.abort()
            raise
        finally:
            task.cancel()
            self._watches.discard(task)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        async with self._forward(request) as answer:
            response = web.StreamResponse(status=answer.status, headers={"content-type": "application/json"})
            await response.prepare(request)
            async for line in answer.content:
                await response.write(line)
            return response

    @asynccontextmanager
    async def _forward(self, request: web.Request) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self.session.request(
            request.method,
            f"{self.server.url}{request.rel_url}",
            data=await request.read() or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            yield answer
