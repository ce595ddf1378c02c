"""A proxy between one operator and the API server: it counts writes, holds the n-th, and carries out faults.

It shows the operator one namespace as if there were no other, so that many operators run side by side.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.campaign.events import EventFaults
from tests.campaign.faults import Fault, Schedule, no_faults
from tidegate.devcluster import ApiServer

_HOP_BY_HOP = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")
_SHARED = re.compile(
    r"(/api/v1|/apis/[^/]+/[^/]+)/(inferenceservices|deployments|services|pods|poddisruptionbudgets)"
)
_EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}


class _Cut(Exception):  # noqa: N818  not an error: the connection ends without an answer
    """The client gets no answer."""


@dataclass(frozen=True)
class Write:
    """One write, and how it was answered; 0: not at all."""

    method: str
    path: str
    status: int


@dataclass
class KillPoint:
    """The write at which the operator dies: before the API server sees it, or after it was carried out."""

    number: int  # 1 is the first
    after: bool
    held: asyncio.Event = field(default_factory=asyncio.Event)
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def die(self) -> None:
        """Returns when the operator is dead."""
        self.held.set()
        await self.dead.wait()


@dataclass
class CampaignProxy:
    """Plain HTTP on this side, the administrator's certificate on the other."""

    server: ApiServer
    session: aiohttp.ClientSession
    port: int = 0
    namespace: str = ""
    writes: list[Write] = field(default_factory=list)
    kill_point: KillPoint | None = None
    schedule: Schedule = field(default_factory=no_faults)
    _lists: dict[str, deque[bytes]] = field(default_factory=dict)
    _sent: int = 0

    def begin(self, namespace: str) -> None:
        """From now on this is the namespace that exists, and nothing is known of it."""
        self.namespace = namespace
        self.writes.clear()
        self._lists.clear()
        self.arm(None)
        self.schedule = no_faults()

    def arm(self, point: KillPoint | None) -> None:
        """Count writes from here; the operator dies at this one."""
        self.kill_point = point
        self._sent = 0

    @property
    def sent(self) -> int:
        """Writes since ``arm``."""
        return self._sent

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, or not."""
        try:
            return await self._handled(request)
        except (aiohttp.ClientError, ConnectionError, _Cut):
            if request.transport:
                request.transport.abort()
            return web.Response(status=502)

    async def _handled(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        fault = self.schedule.of_request(request.method, self._anonymous(request))
        if fault.seconds:
            await asyncio.sleep(fault.seconds)
        if fault.kind == "cut":
            raise _Cut
        if fault.kind == "refuse":
            return self._refused(request, fault)
        if request.method == "GET":
            return await self._read(request, fault)
        return await self._write(request, fault)

    def _refused(self, request: web.Request, fault: Fault) -> web.Response:
        self._noted(request, fault.status)
        body = {"kind": "Status", "code": fault.status, "reason": fault.reason, "message": "a fault"}
        headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
        return web.json_response(body, status=fault.status, headers=headers)

    async def _read(self, request: web.Request, fault: Fault) -> web.Response:
        known = self._lists.setdefault(str(request.rel_url), deque(maxlen=3))
        if fault.kind == "stale" and known:
            return web.Response(body=known[0], content_type="application/json")
        async with self._forward(request) as answer:
            body = await answer.read()
        if answer.status == 200 and b'List"' in body[:200]:
            known.append(body)
        if fault.kind == "lose":
            raise _Cut
        return web.Response(status=answer.status, body=body, content_type="application/json")

    async def _write(self, request: web.Request, fault: Fault) -> web.Response:
        point = self._point(request)
        if point and not point.after:
            await point.die()
            raise _Cut
        async with self._forward(request) as answer:
            body = await answer.read()
        self._noted(request, answer.status)
        if point:
            await point.die()
        if point or fault.kind == "lose":
            raise _Cut
        return web.Response(status=answer.status, body=body, content_type="application/json")

    def _point(self, request: web.Request) -> KillPoint | None:
        if f"/namespaces/{self.namespace}/" not in request.path:
            return None
        self._sent += 1
        return self.kill_point if self.kill_point and self.kill_point.number == self._sent else None

    def _noted(self, request: web.Request, status: int) -> None:
        if request.method != "GET" and f"/namespaces/{self.namespace}/" in request.path:
            self.writes.append(Write(request.method, self._anonymous(request), status))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        start = self.schedule.of_watch(self._anonymous(request))
        if start == "expired":
            line = json.dumps({"type": "ERROR", "object": _EXPIRED}) + "\n"
            return web.Response(text=line, content_type="application/json")
        version = await self._latest(request) if start == "jump" else None
        async with self._forward(request, version) as answer:
            response = web.StreamResponse(status=answer.status, headers={"content-type": "application/json"})
            await response.prepare(request)
            events = EventFaults(self.schedule, self._anonymous(request))
            async for line_or_lines in events.through(answer.content):
                await response.write(line_or_lines)
            return response

    async def _latest(self, request: web.Request) -> str:
        """Now: a watch that begins here has lost what happened before."""
        async with self.session.get(f"{self.server.url}{self._narrowed(request.path)}?limit=1") as answer:
            return str((await answer.json())["metadata"]["resourceVersion"])

    def _narrowed(self, path: str) -> str:
        found = _SHARED.fullmatch(path)
        return f"{found[1]}/namespaces/{self.namespace}/{found[2]}" if found else path

    def _anonymous(self, request: web.Request) -> str:
        return self._narrowed(request.path).replace(self.namespace, "NS")

    @asynccontextmanager
    async def _forward(
        self, request: web.Request, version: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        query = dict(request.rel_url.query) | ({} if version is None else {"resourceVersion": version})
        async with self.session.request(
            request.method,
            f"{self.server.url}{self._narrowed(request.path)}",
            params=query,
            data=await request.read() or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            yield answer


@asynccontextmanager
async def admin_session(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections with the administrator's certificate."""
    tls = ssl.create_default_context(cafile=str(server.plane.state.pki / "ca.crt"))
    tls.load_cert_chain(server.plane.state.pki / "admin.crt", server.plane.state.pki / "admin.key")
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**22) as session:
        yield session


@asynccontextmanager
async def campaign_proxy(server: ApiServer, session: aiohttp.ClientSession) -> AsyncIterator[CampaignProxy]:
    """A proxy on a free port. A client that dies takes its requests with it."""
    proxy = CampaignProxy(server, session)
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.port = runner.addresses[0][1]
    try:
        yield proxy
    finally:
        await runner.cleanup()
