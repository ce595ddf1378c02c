"""A proxy before the API server that writes down every write and can make watches lose what happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from tests.component.operator.faults import Fault
from tidegate.devcluster import ApiServer

_GONE = {
    "type": "ERROR",
    "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"},
}
_HOP_BY_HOP = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


@dataclass(frozen=True)
class Write:
    """One request that was not a mere read, how it was answered, and when, by the monotonic clock."""

    method: str
    path: str
    status: int
    at: float


@dataclass
class ApiProxy:
    """Plain HTTP on this side, the administrator's certificate on the other."""

    server: ApiServer
    session: aiohttp.ClientSession
    port: int = 0
    writes: list[Write] = field(default_factory=list)
    rewrite: Callable[[bytes], bytes] = bytes  # what becomes of each body on its way
    lease_writes: list[Write] = field(default_factory=list)
    before: Callable[[web.Request], Awaitable[None]] | None = None  # awaited before each is passed on
    fault: Fault | None = None  # what befalls each watch but the Lease's
    replays: bool = False  # each watch begins with old lines that were sent before
    _faults: Counter[str] = field(default_factory=Counter)
    _lines: dict[str, deque[bytes]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=50)))
    _hanging: set[asyncio.Task[bool]] = field(default_factory=set)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)
    _mended: asyncio.Event = field(default_factory=asyncio.Event)
    _expired: set[str] = field(default_factory=set)
    _watches: set[asyncio.Task[web.StreamResponse]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._mended.set()
        self._flows.set()

    def cut_off(self) -> None:
        """From now on no request is passed on, no byte comes back, and nobody is told."""
        self._flows.clear()

    def restore(self) -> None:
        """New requests get through again; what hung until now is gone, as on a network that was down."""
        for task in self._hanging:
            task.cancel()
        self.break_watches()
        self._flows.set()
        self.resume_watches()

    def befall(self, fault: Fault | None) -> None:
        """End every watch; what is begun after that meets ``fault``."""
        self.break_watches()
        self.fault = fault
        self._faults.clear()
        self.resume_watches()

    def break_watches(self) -> None:
        """End every watch and let none begin until ``mend_watches``."""
        self._mended.clear()
        for task in self._watches:
            task.cancel()

    async def end(self) -> None:
        """Returns when no watch is under way any more."""
        self._mended.set()
        while self._watches:
            for task in self._watches:
                task.cancel()
            await asyncio.wait(self._watches)

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
        await self._hang_while_cut_off(request)
        if self.before:
            await self.before(request)
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request)
        async with self._forward(request) as answer:
            body = await answer.read()
            if request.method != "GET":
                self._note(Write(request.method, request.path, answer.status, time.monotonic()))
            await self._hang_while_cut_off(request)
            return web.Response(status=answer.status, body=body, content_type="application/json")

    async def _hang_while_cut_off(self, request: web.Request) -> None:
        task = asyncio.create_task(self._flows.wait())
        self._hanging.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if request.transport:
                request.transport.abort()
            raise
        finally:
            self._hanging.discard(task)

    def _note(self, write: Write) -> None:
        (self.lease_writes if "/leases" in write.path else self.writes).append(write)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        await self._mended.wait()
        kind = request.path.rsplit("/", 1)[1]
        if kind in self._expired:
            self._expired.discard(kind)
            return web.json_response(_GONE, dumps=lambda line: json.dumps(line) + "\n")
        if self.fault and kind != "leases":
            self._faults[kind] += 1
            if response := await self.fault(request, self._faults[kind] - 1):
                return response
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
            known = self._lines[request.path.rsplit("/", 1)[1]]
            with suppress(ConnectionResetError):  # who watched is gone
                for line in tuple(known) if self.replays else ():
                    await response.write(line)
                async for line in answer.content:
                    await self._flows.wait()
                    known.append(line)
                    await response.write(line)
            return response

    @asynccontextmanager
    async def _forward(self, request: web.Request) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self.session.request(
            request.method,
            f"{self.server.url}{request.rel_url}",
            data=self.rewrite(await request.read()) or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            yield answer
