"""A websocket: one slot of its service from the handshake to its end, and bytes in both directions.

The handshake is a request like any other: it is admitted, may wait, wakes a service that sleeps, and may be
refused. After the worker's 101 both transports get an ``End`` for their protocol, which does nothing but pass
on: what one side does not read makes the other one wait, so that nothing is held here but two full buffers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs

from tidegate.domain import api_errors as errors
from tidegate.domain.flow_ticket import Ticket
from tidegate.domain.outcome import Outcome
from tidegate.gateway import dispatch, endings
from tidegate.gateway.exchange import Exchange
from tidegate.gateway.passage import websocket_answer_head, websocket_request_head

if TYPE_CHECKING:
    from tidegate.gateway.connection import ClientConnection
    from tidegate.gateway.pool import Pool
    from tidegate.gateway.request import Request
    from tidegate.gateway.traffic import Traffic
    from tidegate.gateway.upstream import Upstream


class Tunnel(Exchange):
    """Answers one websocket handshake, and joins its two sides. ``queue.executionTimeoutSeconds`` ends it."""

    __slots__ = ("_worker",)

    def __init__(self, traffic: Traffic, connection: ClientConnection, request: Request, now: float) -> None:
        super().__init__(traffic, connection, request, now)
        self._worker: asyncio.Transport | None = None  # once it has switched

    def start(self) -> None:
        """Finds the service by Host, path or the query's ``model``, and asks for a slot."""
        head = self.request.head
        service, self.target, missing, self.namespace = self.traffic.router.by_address(head.host, head.target)
        path = self.target.partition(b"?")[0].decode("latin-1")
        model = _model(self.target)
        if missing is not None:
            self.refuse(self.traffic.unknown(missing))
        elif not path.startswith("/v1/"):
            self.refuse(errors.no_such_path("GET", path))
        elif (service := service or self.traffic.by_model(model, self.namespace)) is not None:
            self.service = service
            service.arrived(self.arrived)
            self.ticket = Ticket(self, 0, head.priority or 0)
            self.obey(service.arbiter.ask(self.ticket, body_read=True))
        else:
            self.refuse(errors.websocket_without_service() if model is None else self.traffic.unknown(model))

    def send(self, pool: Pool, upstream: Upstream) -> None:
        """See Exchange. The connection is never used again, whatever the answer."""
        self.upstream = upstream
        upstream.on_switch = self._switched
        upstream.usable = False
        upstream.send(self, websocket_request_head(self.request, self.target, pool.authority, self.id), b"")

    def _switched(self, worker: asyncio.Transport, raw: bytes, rest: bytes) -> None:
        """The worker answered 101: ``raw`` is its head, ``rest`` came with it."""
        connection, client = self.connection, self.connection.transport
        self.upstream, self._worker = None, worker
        self.answered, self.status, self.first_byte = True, 101, self.traffic.time()
        if self.service is not None:
            endpoint = None if self.ticket is None else self.ticket.endpoint
            self.service.first_byte(endpoint, self.dispatched)
            if self.service.ejections.records:
                dispatch.answered(self, self.service, 101)
        worker.set_protocol(cast(asyncio.Protocol, End(client, self._worker_closed)))
        client.set_protocol(cast(asyncio.Protocol, End(worker, connection.connection_lost)))
        client.write(websocket_answer_head(raw, endings.own_fields(self)) + rest)
        early = connection.hand_over()
        if early:
            worker.write(early)
        if connection.write_paused:
            worker.pause_reading()

    def _worker_closed(self, error: Exception | None) -> None:
        self._worker = None
        if self.outcome is not None:
            return
        if error is not None:
            dispatch.failed(self, f"the connection broke: {error}", unused=False)
            return
        self._end(Outcome.COMPLETED)
        self.connection.finished(self.request, keep_alive=False)  # after what it sent last was written

    def _drop_upstream(self) -> None:
        super()._drop_upstream()
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.get_write_buffer_size():
            worker.abort()  # it may never read what the client sent last
        else:
            worker.close()


class End:
    """One side of a tunnel, the client or the worker: its bytes go to ``other``. An asyncio protocol by its
    methods."""

    __slots__ = ("_closed", "_other")

    def __init__(self, other: asyncio.Transport, closed: Callable[[Exception | None], None]) -> None:
        self._other = other
        self._closed = closed

    def eof_received(self) -> None:
        """This side sends no more; the transport closes itself after this."""

    def data_received(self, data: bytes) -> None:
        """Some bytes of this side."""
        if not self._other.is_closing():
            self._other.write(data)

    def pause_writing(self) -> None:
        """This side does not read what it is sent: the other one has to wait."""
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        """It has caught up."""
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """This side has gone."""
        self._closed(exc)


def _model(target: bytes) -> str | None:
    """The ``model`` of a target's query."""
    query = target.partition(b"?")[2].decode("latin-1")
    return parse_qs(query).get("model", [None])[0] if query else None
