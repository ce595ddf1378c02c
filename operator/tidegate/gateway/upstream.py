"""One connection to a worker: a request goes out, llhttp watches the answer, its bytes go on untouched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Protocol, cast

import httptools

MAX_HEAD = 64 * 1024  # bytes of an answer's head

# Fields of an answer that are for this hop only, and one that the gateway gives itself.
_HOP_FIELDS = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"x-request-id"}
)


class AnswerHead:
    """What the gateway must know of an answer's head; the bytes themselves are passed on."""

    __slots__ = ("chunked", "draining", "fields", "length", "rewrite", "sse", "status")

    def __init__(self) -> None:
        self.status = 0
        self.length: int | None = None
        self.chunked = False
        self.draining = False  # the worker took nothing: it is about to stop
        self.sse = False  # server-sent events: an error can still be told in the middle
        self.rewrite = False  # some field must not be passed on
        self.fields: list[bytes] = []

    @property
    def bodiless(self) -> bool:
        """No body follows, whatever the fields say."""
        return self.status in (204, 304)


class Receiver(Protocol):
    """The request that an upstream connection works for."""

    head_only: bool

    def answer_began(self, upstream: Upstream, head: AnswerHead, raw: bytes, rest: bytes) -> None:
        """The head is there: ``raw`` with its empty line, and what followed it in the same read."""
        ...

    def answer_bytes(self, data: bytes) -> None:
        """More of the body, framed as the head says. Replaced by a plain write where nothing has to look."""
        ...

    def answer_ended(self) -> None:
        """The answer is whole."""
        ...

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        """The connection broke, or spoke no HTTP. ``unused``: an idle one that the worker had closed
        while the request was on its way, so the worker never saw it."""
        ...


class Upstream(asyncio.Protocol):
    """A connection to a worker. Idle in its pool, or working for exactly one request."""

    __slots__ = (
        "_began",
        "_ended",
        "_head",
        "_head_done",
        "_last",
        "_parser",
        "_paused",
        "_raw",
        "_released",
        "answers",
        "idle_since",
        "on_chunk_complete",
        "on_chunk_header",
        "receiver",
        "transport",
        "usable",
        "write",
    )

    def __init__(self, released: Callable[[Upstream], None]) -> None:
        self._released = released
        # llhttp calls these for each chunk of each stream; a count in C costs least.
        self.on_chunk_header: Callable[[], int] = count().__next__
        self.on_chunk_complete: Callable[[], int] = count().__next__
        self._parser = httptools.HttpResponseParser(self)
        self._last = b""
        self._head = AnswerHead()
        self._raw = b""
        self._began = self._head_done = self._ended = self._paused = False
        self.receiver: Receiver | None = None
        self.usable = False  # for the next request
        self.answers = 0
        self.idle_since = 0.0
        self.write: Callable[[bytes], None] = _nowhere

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker accepted."""
        self.transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        """The hot path: one read of a stream is one write to the client."""
        if self._head_done:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                self._break(f"the worker's answer is not valid HTTP: {error}")
                return
            self._last = data
            self.write(data)
            if self._ended:
                self._finish()
        elif self.receiver is None:
            self.close()  # nobody asked
        else:
            self._read_head(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker closed, or the connection broke, or we closed."""
        self.usable = False
        del self._parser  # it points back here
        receiver = self.receiver
        if receiver is None:
            self._released(self)
        elif self._head_done and exc is None and self._until_close():
            self._finish()
        else:
            self._break("the worker closed the connection" if exc is None else f"the connection broke: {exc}")

    # -- for the pool and the request

    def send(self, receiver: Receiver, head: bytes, body: bytes) -> None:
        """Sends a request; its answer goes to ``receiver``."""
        self.receiver = receiver
        self._head = AnswerHead()
        self._raw = b""
        self._began = self._head_done = self._ended = False
        if len(body) < 16 * 1024:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)

    def close(self) -> None:
        """Closes at once: the worker sees that its client has gone, and stops working for it."""
        self.usable = False
        self.receiver = None
        self.write = _nowhere
        self.transport.abort()

    def pause(self) -> None:
        """The client has too much unread: TCP makes the worker wait too."""
        if self.usable or self.receiver is not None:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """The client has caught up."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    # -- reading an answer

    def _until_close(self) -> bool:
        head = self._head
        return not head.chunked and head.length is None

    def _read_head(self, data: bytes) -> None:
        raw = self._raw + data if self._raw else data
        end = raw.find(b"\r\n\r\n") + 4
        if end < 4:
            self._raw = raw
            if len(raw) > MAX_HEAD:
                self._break(f"the head of the worker's answer is over {MAX_HEAD} bytes")
            return
        self._raw = b""
        interim = raw.startswith(b"HTTP/1.1 1")
        try:
            self._parser.feed_data(raw[:end] if interim else raw)
        except httptools.HttpParserError as error:
            self._break(f"the worker's answer is not valid HTTP: {error}")
            return
        if interim:
            self._skip_interim(raw[end:])
        else:
            self._pass_on_head(raw, end)

    def _pass_on_head(self, raw: bytes, end: int) -> None:
        receiver = self.receiver
        if receiver is None:
            return
        if self._head.draining and self._head.status == 503:
            self._break("the worker is draining")  # it took nothing: the request goes back into the queue
            return
        self._head_done, self._last = True, raw
        if receiver.head_only or self._head.bodiless:
            self._ended, self.usable = True, False  # llhttp may wait for a body that does not come
        receiver.answer_began(self, self._head, raw[:end], raw[end:])
        if self._ended:
            self._finish()

    def _skip_interim(self, rest: bytes) -> None:
        """100 and 103 are for this hop; 101 was not asked for."""
        if self._head.status == 101:
            self._break("the worker switched protocols, which nobody asked for")
            return
        self._head, self._began, self._ended = AnswerHead(), False, False
        if rest:
            self._read_head(rest)

    def _finish(self) -> None:
        receiver, self.receiver = self.receiver, None
        self.write = _nowhere
        self.answers += 1
        self._head_done = False
        self.resume()
        if not self.usable:
            self.transport.abort()
        self._released(self)
        if receiver is not None:
            receiver.answer_ended()

    def _break(self, reason: str) -> None:
        receiver = self.receiver
        unused = self.answers > 0 and not self._began and not self._raw
        self.close()
        self._released(self)
        if receiver is not None:
            receiver.upstream_failed(reason, unused=unused)

    @property
    def chunked(self) -> bool:
        """The answer under way is chunked."""
        return self._head.chunked

    def between_chunks(self) -> bool:
        """True where a chunk of our own may follow what was passed on. To be asked once, at the end.

        As many chunks have ended as begun, and the last byte is no part of a chunk's size line.
        """
        return self.on_chunk_header() == self.on_chunk_complete() and self._last.endswith(b"\n")

    # -- called by llhttp

    def on_message_begin(self) -> None:
        """The first byte of an answer. A second one in the same request is not an answer to it."""
        if self._ended or self.receiver is None:
            raise ValueError("more than one answer")
        self._began = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field of the answer; trailers pass with the bytes."""
        if self._head_done:
            return
        head, key = self._head, name.lower()
        if key == b"content-length":
            head.length = int(value)
        elif key == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise ValueError("the answer has a transfer coding that nobody asked for")
            head.chunked = True
        elif key in _HOP_FIELDS:
            head.rewrite = True
            return
        elif key == b"content-type":
            head.sse = value.startswith(b"text/event-stream")
        elif key == b"x-tidegate-draining":
            head.draining = True
        head.fields.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        """The end of the head."""
        head, parser = self._head, self._parser
        head.status = parser.get_status_code()
        if not parser.should_keep_alive():
            self.usable = False

    def on_message_complete(self) -> None:
        """The end of the answer."""
        self._ended = True


def _nowhere(_data: bytes) -> None:
    """Where bytes go that nobody waits for."""
