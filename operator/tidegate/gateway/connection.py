"""One client connection: requests in, answers out in the same order, limits in time, and a close that
lets the client read its refusal."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final, cast

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.gateway import response
from tidegate.gateway.answering import Answering, Host
from tidegate.gateway.request import Refusal, Request
from tidegate.gateway.request_reader import RequestReader

NEVER: Final = math.inf
PIPELINE_LIMIT: Final = 8  # requests read ahead of the one being answered before reading pauses
AHEAD_BYTES: Final = 64 * 1024  # of bodies read ahead before it pauses: no service has admitted them yet
LINGER_SECONDS: Final = 30.0  # the longest lingering close, however busily the client goes on sending


class ClientConnection:
    """The client's side of the gateway: an asyncio protocol by its methods."""

    __slots__ = (
        "_advancing",
        "_fresh",
        "_host",
        "_linger_end",
        "_paused",
        "_refusal",
        "_time",
        "_unsent",
        "current",
        "deadline",
        "lingering",
        "open",
        "reader",
        "send",
        "transport",
        "write_paused",
    )

    def __init__(self, host: Host, time: Callable[[], float]) -> None:
        self._host = host
        self._time = time
        self.send: Callable[[bytes], None] = _nowhere
        self.reader = RequestReader(host.body_limit)
        self.current: Answering | None = None
        self.deadline = NEVER  # when the sweep shall look here
        self.open = self.lingering = self.write_paused = False
        self._advancing = self._paused = False
        self._fresh = True  # no request has come yet
        self._refusal: ApiError | None = None
        self._linger_end = 0.0
        self._unsent = NEVER  # bytes, when the sweep last looked after the end of an answer

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        self.transport = cast(asyncio.Transport, transport)
        self.send = self.transport.write
        self.open = True
        self._host.connections.add(self)
        self.deadline = self._time() + self._host.settings.header_timeout

    def data_received(self, data: bytes) -> None:
        """Bytes of one request, or of several, or of a part of one."""
        if self.lingering:
            self.deadline = min(self._time() + self._host.settings.linger_timeout, self._linger_end)
            return
        if self._refusal is not None:
            return
        reader = self.reader
        try:
            reader.feed(data)
        except Refusal as refusal:
            self._refusal = refusal.error
        if self.current is None:
            self._next()
        else:
            self._while_answering(self.current)

    def eof_received(self) -> bool:
        """The client sends no more; as with nginx, it has then gone."""
        self._lost()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is closed, by either side."""
        self._lost()

    def pause_writing(self) -> None:
        """Too much of the answer is unread."""
        self.write_paused = True
        if self.current is not None:
            self.current.pause()

    def resume_writing(self) -> None:
        """The client has read on."""
        self.write_paused = False
        if self.current is not None:
            self.current.resume()
        elif self.open and not self.lingering:
            self._next()

    # -- reading

    def _while_answering(self, current: Answering) -> None:
        """More bytes, and the request before them is not answered yet."""
        if not current.reading:
            pass  # what was read waits its turn
        elif self._refusal is not None and not current.request.complete:
            error, self._refusal = self._refusal, None
            current.body_failed(error)
        else:
            current.body_arrived()
        if (self.reader.requests or self.reader.after) and self.open and not self._paused:
            self._bound_read_ahead()

    def _bound_read_ahead(self) -> None:
        requests = self.reader.requests
        ahead = sum(request.received for request in requests) + len(self.reader.after)
        if len(requests) > PIPELINE_LIMIT or ahead > AHEAD_BYTES:
            self._paused = True
            self.transport.pause_reading()

    def _answers_pile_up(self) -> None:
        """The client asks and does not read: nothing more is answered, or read, before it has caught up."""
        self.deadline = self._time() + self._host.settings.idle_timeout
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if self._paused and self.open:
            self._paused = False
            self.transport.resume_reading()

    def _next(self) -> None:
        """Begins with the next request, as long as answers are there at once."""
        if self._advancing:
            return
        self._advancing = True
        requests = self.reader.requests
        while requests and self.current is None and self.open and not (self.lingering or self.write_paused):
            request = requests.popleft()
            if self._refusal is not None and not request.complete:
                break  # it was refused in its own body
            self._fresh = False
            self.deadline = self._unsent = NEVER
            self.current = self._host.answering(self, request)
            self.current.start()
            if not request.complete:
                self._read_on()  # its turn has come: what is left of it is awaited
        self._advancing = False
        if self.current is not None or not self.open or self.lingering:
            return
        if requests:
            self._answers_pile_up()
        else:
            self._between_requests()

    def _between_requests(self) -> None:
        host, reader, now = self._host, self.reader, self._time()
        if self._refusal is not None:
            self._refuse(self._refusal)
        elif reader.closed or (host.draining and not reader.begun):
            self.close()
        elif not reader.begun:
            self.deadline = now + host.settings.idle_timeout
        elif self.deadline > now + host.settings.header_timeout:
            self.deadline = now + host.settings.header_timeout
        self._read_on()

    def _refuse(self, error: ApiError) -> None:
        """Answers bytes that are no request, and ends the connection."""
        fields = response.retry_after(error)
        self.write(response.whole(error.status, error.body(), fields=fields, close=True))
        self._host.refused(self.reader.reading, error)
        self.linger()

    # -- for what answers

    @property
    def draining(self) -> bool:
        """The server stops: each answer is its connection's last."""
        return self._host.draining

    def write(self, data: bytes) -> None:
        """Sends ``data``; nothing happens where the client has gone."""
        if self.open:
            self.send(data)

    def finished(self, request: Request, *, keep_alive: bool) -> None:
        """The answer is written; the next request may begin."""
        self.current = None
        if not self.open:
            return
        if not request.complete:
            self.linger()
        elif not keep_alive:
            self.close()
        elif self.reader.quiet and self._refusal is None and not self._paused:
            self.deadline = self._time() + self._host.settings.idle_timeout
        else:
            self._next()

    def hand_over(self) -> bytes:
        """The transport gets another protocol now, which reports its end here; what has come for that one."""
        self._read_on()
        after, self.reader.after = self.reader.after, b""
        return after

    def linger(self) -> None:
        """Ends our side, and reads on until the client has read the answer and closes its own.

        A plain close while the client still sends makes its kernel drop the answer unread.
        """
        now = self._time()
        self.lingering = True
        self._linger_end = now + LINGER_SECONDS
        self.deadline = now + self._host.settings.linger_timeout
        self._read_on()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def close(self) -> None:
        """Closes when what was written is sent; a slow reader has the time it needs, as long as it reads."""
        now = self._time()
        self._linger_end, self.deadline = now + LINGER_SECONDS, now + self._host.settings.linger_timeout
        self.lingering = True
        self.transport.close()

    def abort(self) -> None:
        """Closes at once; the client sees that the answer is not whole."""
        if self.open:
            self.transport.abort()

    def sweep(self, now: float) -> None:
        """Looks whether the deadline is over; called a few times a second."""
        if now < self.deadline:
            if self.current is not None:
                self.current.sweep(now)
        elif self.current is not None:
            self.current.deadline_passed()
        elif self.lingering or not self.reader.begun:
            if self._still_flows():
                self.deadline = now + self._host.settings.linger_timeout
            else:
                self.abort()
        else:
            self._refuse(
                errors.invalid("the header did not arrive in time", status=408, code="request_timeout")
            )

    def _still_flows(self) -> bool:
        """A slow client reads the end of its answer: an abort now would cut it off."""
        before, self._unsent = self._unsent, float(self.transport.get_write_buffer_size())
        return 0 < self._unsent < before

    def drain(self) -> None:
        """The server stops: an idle connection is closed, a busy one after its answer. One that has not had
        its first request was made before that, and its request is on its way."""
        reader = self.reader
        if not self.open or self.current is not None or reader.begun or reader.requests or self.lingering:
            return
        if self._fresh:
            self.deadline = min(self.deadline, self._drain_deadline())
        else:
            self.close()

    def _drain_deadline(self) -> float:
        """So long a first request may take to arrive."""
        self._linger_end = self._linger_end or self._time() + self._host.settings.linger_timeout
        return self._linger_end

    def _lost(self) -> None:
        if not self.open:
            return
        self.open = False
        self.deadline = NEVER
        self._host.connections.discard(self)
        self.reader.close()
        current, self.current = self.current, None
        if current is not None:
            current.client_gone()


def _nowhere(_data: bytes) -> None:
    """Where bytes go before there is a transport."""
