"""One connection to a worker: a request goes out, llhttp watches the answer, its bytes go on untouched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Protocol, cast

import httptools

from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.heads import without_length

MAX_HEAD = 64 * 1024  # bytes of an answer's head
ONE_WRITE = 16 * 1024  # bytes up to which head and body are joined, since a copy costs less than a write


class Receiver(Protocol):
    """The request that an upstream connection works for."""

    head_only: bool

    def answer_began(self, upstream: Upstream, head: AnswerHead, raw: bytes, rest: bytes) -> None:
        """The head is there: ``raw`` with its empty line, and what followed it in the same read."""
        ...

    def answer_ended(self) -> None:
        """The answer is whole."""
        ...

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        """The connection broke, or spoke no HTTP. ``unused``: an idle one that the worker had closed
        while the request was on its way, so the worker never saw it."""
        ...

    def worker_drains(self) -> None:
        """The worker took nothing, because it is about to stop."""
        ...


class Upstream(asyncio.Protocol):
    """A connection to a worker. Idle in its pool, or working for exactly one request."""

    __slots__ = (
        "_begun",
        "_ended",
        "_head",
        "_known",
        "_known_raw",
        "_last",
        "_left",
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
        self._head: AnswerHead | None = None
        self._known: AnswerHead | None = None  # the latest that was read
        self._raw = self._last = self._known_raw = b""
        self._begun = 0
        self._left = 0  # bytes to come of an answer with a length
        self._ended = self._paused = False
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
        if self._head is not None:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserError as error:
                self._break(f"the worker's answer is not valid HTTP: {error}")
                return
            if self._left:
                data = self._within_length(data)
            elif self._ended:
                data = self._within_chunks(data)
            self._last = data
            self.write(data)
            if self._ended:
                self._finish()
        elif self.receiver is None:
            self.close()  # nobody asked
        else:
            self._read_head(self.receiver, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker closed, or the connection broke, or we closed."""
        self.usable = False
        del self._parser  # it points back here
        if self.receiver is None:
            self._released(self)
        elif self._head is not None and exc is None and self._head.until_close:
            self._finish()
        else:
            self._break("the worker closed the connection" if exc is None else f"the connection broke: {exc}")

    # -- for the pool and the request

    def send(self, receiver: Receiver, head: bytes, body: bytes) -> None:
        """Sends a request; its answer goes to ``receiver``."""
        self.receiver = receiver
        self._begun, self._ended = 0, False
        if len(body) < ONE_WRITE:
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
        if self.receiver is not None:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """The client has caught up."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    @property
    def chunked(self) -> bool:
        """The answer under way is chunked."""
        return self._head is not None and self._head.chunked

    @property
    def unread(self) -> int:
        """Bytes kept of an answer's head that has begun."""
        return len(self._raw)

    def between_chunks(self) -> bool:
        """True where a chunk of our own may follow what was passed on. To be asked once, at the end.

        As many chunks have ended as begun, and the last byte is no part of a chunk's size line.
        """
        return self.on_chunk_header() == self.on_chunk_complete() and self._last.endswith(b"\n")

    # -- reading an answer

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
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
            head = self._understand(raw[:end])
        except (httptools.HttpParserError, ValueError) as error:
            self._break(f"the worker's answer is not valid HTTP: {error}")
            return
        if interim:
            self._skip_interim(receiver, head, raw[end:])
        elif head.draining:
            self.close()
            self._released(self)
            receiver.worker_drains()
        else:
            self._pass_on(receiver, head, raw, end)

    def _understand(self, raw: bytes) -> AnswerHead:
        """Reads a head; one like the connection's last is not read again."""
        length, rest = without_length(raw)
        self._left = length or 0
        if rest != self._known_raw or self._known is None:
            self._known, self._known_raw = AnswerHead(raw), rest
        return self._known

    def _skip_interim(self, receiver: Receiver, head: AnswerHead, rest: bytes) -> None:
        """100 and 103 are for this hop; 101 was not asked for."""
        self._begun, self._ended = 0, False
        if head.status == 101:
            self._break("the worker switched protocols, which nobody asked for")
        elif rest:
            self._read_head(receiver, rest)

    def _pass_on(self, receiver: Receiver, head: AnswerHead, raw: bytes, end: int) -> None:
        self._head, self._last = head, raw
        if not head.persistent or head.until_close:
            self.usable = False
        if receiver.head_only or head.bodiless:
            self._left = 0
            self._ended, self.usable = True, False  # llhttp may wait for a body that does not come
        rest = raw[end:]
        if self._ended and head.chunked and rest:
            rest = self._within_chunks(rest)
        elif self._left:
            rest = self._within_length(rest)
        receiver.answer_began(self, head, raw[:end], rest)
        if self._ended:
            self._finish()

    def _within_length(self, data: bytes) -> bytes:
        """``data`` without what comes after the answer's length. llhttp takes line ends there for nothing,
        and a client's next answer would begin with them."""
        left = self._left
        self._left = max(0, left - len(data))
        if len(data) > left:
            self.usable = False
            return data[:left]
        return data

    def _within_chunks(self, data: bytes) -> bytes:
        """The same at the end of a chunked answer: its last line has text, then come two line ends."""
        text = data.rstrip(b"\r\n")
        before = b"" if text else self._last
        ends = (before + data)[len(before.rstrip(b"\r\n")) + len(text) :]
        excess = len(ends) - 4
        if excess <= 0:
            return data
        self.usable = False
        return data[:-excess]

    def _finish(self) -> None:
        receiver, self.receiver = self.receiver, None
        self.write = _nowhere
        self._head = None
        self.answers += 1
        if self._paused:
            self.resume()
        if not self.usable:
            self.transport.abort()
        self._released(self)
        if receiver is not None:
            receiver.answer_ended()

    def _break(self, reason: str) -> None:
        receiver = self.receiver
        unused = self.answers > 0 and not self._begun and not self._raw
        self.close()
        self._released(self)
        if receiver is not None:
            receiver.upstream_failed(reason, unused=unused)

    # -- called by llhttp

    def on_message_begin(self) -> None:
        """The first byte of an answer. A second one in the same request is not an answer to it."""
        self._begun += 1
        if self._begun > 1:
            raise ValueError("more than one answer")

    def on_message_complete(self) -> None:
        """The end of the answer."""
        self._ended = True


def _nowhere(_data: bytes) -> None:
    """Where bytes go that nobody waits for."""
