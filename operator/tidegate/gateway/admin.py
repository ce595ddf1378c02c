"""The admin port: metrics, status, demand, health. For Prometheus, operator and people; not for clients."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.gateway import exposition, response
from tidegate.gateway.answering import Answering
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.guard import guarded
from tidegate.gateway.local_answers import LocalAnswer, alive, ready
from tidegate.gateway.request import Request
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.slo import PREFIX as SLO_PREFIX
from tidegate.gateway.slo import slo_counts, slo_key
from tidegate.gateway.status import status
from tidegate.gateway.traffic import Traffic

NDJSON = b"application/x-ndjson"
_READS = (b"GET", b"HEAD")
_BODY_LIMIT = 64 * 1024  # bytes; nothing here takes a body
Source = Callable[[], AsyncIterator[bytes]]


class Admin:
    """The state of the admin port; the Host of its connections."""

    def __init__(self, settings: GatewaySettings, traffic: Traffic) -> None:
        self.settings = settings
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self._traffic = traffic
        self._time = traffic.time
        self._began, self._instance = traffic.time(), uuid.uuid4().hex
        self._streams: set[asyncio.Task[None]] = set()

    def connection(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return cast(asyncio.Protocol, ClientConnection(self, self._time))

    def body_limit(self) -> int:
        """See Host."""
        return _BODY_LIMIT

    def refused(self, request: Request | None, error: ApiError) -> None:
        """See Host; the admin port has no metrics of its own."""

    def answering(self, connection: ClientConnection, request: Request) -> Answering:
        """See Host."""
        method, path = request.head.method, request.head.target.partition(b"?")[0]
        if method in _READS and path == b"/metrics":
            return self._stream(connection, request, exposition.CONTENT_TYPE, self._metrics)
        if method in _READS and path == b"/demand":
            return self._stream(connection, request, NDJSON, self._traffic.fleet.demand.subscribe)
        code, body = self._at_once(method, path)
        return LocalAnswer(connection, request, code, body)

    def _at_once(self, method: bytes, path: bytes) -> tuple[int, bytes]:
        if method in _READS:
            if path == b"/healthz":
                return alive(self._traffic)
            if path == b"/readyz":
                return ready(self._traffic)
            if path == b"/status":
                return 200, response.to_json(status(self._traffic))
            if counted := self._slo(path):
                return 200, response.to_json(counted)
        error = errors.no_such_path(method.decode(), path.decode("latin-1"))
        return error.status, error.body()

    def _slo(self, path: bytes) -> dict[str, object] | None:
        key = slo_key(path) if path.startswith(SLO_PREFIX) else None
        counted = slo_counts(self._traffic, key) if key else None
        if counted is None:
            return None
        uptime = round(self._time() - self._began, 3)
        return {**counted, "instance": self._instance, "uptimeSeconds": uptime}

    def _metrics(self) -> AsyncIterator[bytes]:
        traffic = self._traffic
        traffic.books.settle()
        return exposition.render(
            lambda: [traffic.books.nowhere, *(service.meters for service in traffic.fleet.services.values())],
            self._time,
        )

    def _stream(
        self, connection: ClientConnection, request: Request, content_type: bytes, source: Source
    ) -> Answering:
        return StreamedAnswer(connection, request, content_type, source, self._streams)

    def sweep(self, now: float) -> None:
        """Looks at the deadline of each connection."""
        for connection in list(self.connections):
            guarded(connection.sweep, now)

    async def close(self) -> None:
        """Ends every stream and connection at once."""
        for connection in list(self.connections):
            connection.abort()
        for task in list(self._streams):
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)


class StreamedAnswer:
    """A chunked answer from an asynchronous source; it waits while the client does not read."""

    def __init__(
        self,
        connection: ClientConnection,
        request: Request,
        content_type: bytes,
        source: Source,
        tasks: set[asyncio.Task[None]],
    ) -> None:
        self.request = request
        self.reading = False
        self._connection = connection
        self._content_type = content_type
        self._source = source
        self._tasks = tasks
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def start(self) -> None:
        """See Answering."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(self._task)
        self._task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        connection, chunked = self._connection, not self.request.head.http10
        connection.write(response.streamed_head(200, self._content_type, chunked=chunked))
        if self.request.head.method == b"HEAD":
            connection.finished(self.request, keep_alive=False)
            return
        pieces: Any = self._source()
        async with aclosing(pieces):
            async for data in pieces:
                if data:
                    connection.write(response.chunk(data) if chunked else data)
                await self._writable.wait()
        connection.write(response.LAST_CHUNK if chunked else b"")
        connection.finished(self.request, keep_alive=False)

    def body_arrived(self) -> None:
        """See Answering; a body has no meaning here."""

    def body_failed(self, error: ApiError) -> None:
        """See Answering."""

    def client_gone(self) -> None:
        """See Answering."""
        if self._task is not None:
            self._task.cancel()

    def deadline_passed(self) -> None:
        """See Answering; /demand stays open for ever."""

    def sweep(self, now: float) -> None:
        """See Answering."""

    def pause(self) -> None:
        """See Answering."""
        self._writable.clear()

    def resume(self) -> None:
        """See Answering."""
        self._writable.set()
