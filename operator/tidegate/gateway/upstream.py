"""One connection to a worker: a request goes out, llhttp watches the answer, its bytes go on untouched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Final, Protocol, TypeAlias, cast

import httptools

from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.heads import SameHead
from tidegate.gateway.usage import TAIL

MAX_HEAD: Final = 64 * 1024  # bytes of an answer's head
MAX_INTERIMS: Final = 100  # 1xx answers before the answer
ONE_WRITE: Final = 16 * 1024  # bytes up to which head and body are joined: a copy costs less than a write
_EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n")
_CHUNKED_EVENT_ENDS: Final = (b"\n\n\r\n", b"\r\n\r\n\r\n")  # and the end of the chunk
_INTERIM: Final = (b"HTTP/1.1 1", b"HTTP/1.0 1")


# Takes the transport of a worker that has switched protocols, its 101's head, and the bytes behind it.
Switch: TypeAlias = Callable[[asyncio.Transport, bytes, bytes], None]


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


class Upstream:
    """A connection to a worker. Idle in its pool, or working for exactly one request.

    An asyncio protocol by its methods; a compiled class has no base that is not compiled too.
    """

    __slots__ = (
        "_begun",
        "_due",
        "_ended",
        "_head",
        "_heard",
        "_heard_at",
        "_interims",
        "_known",
        "_large",
        "_last",
        "_left",
        "_llhttp",
        "_paused",
        "_raw",
        "_released",
        "_same",
        "_second",
        "_send",
        "_third",
        "answers",
        "idle_since",
        "on_chunk_complete",
        "on_chunk_header",
        "on_switch",
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
        self._llhttp: Callable[[bytes], None] = httptools.HttpResponseParser(self).feed_data
        self._head: AnswerHead | None = None
        self._known: AnswerHead | None = None  # the latest that was read
        self._same: SameHead | None = None  # what that was read from
        self._raw = b""
        self._last = self._second = self._third = b""  # what was read last, before it, and before that
        self._left = 0  # bytes to come of an answer with a length, where llhttp does not see them
        self._due = 0  # the same where it does
        self._heard = b""  # what ``_last`` was when the sweep last found it changed
        self._heard_at = 0.0
        self._begun = self._interims = 0
        self._ended = self._paused = False
        self._large = False  # a request too large for one write was sent: some of it may not have left
        self.receiver: Receiver | None = None
        self.on_switch: Switch | None = None  # for a 101 where the request asked for it
        self.usable = False  # for the next request
        self.answers = 0
        self.idle_since = 0.0
        self.write: Callable[[bytes], None] = _nowhere

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker accepted."""
        self.transport = cast(asyncio.Transport, transport)
        self._send: Callable[[bytes], None] = self.transport.write
        self.usable = True

    def eof_received(self) -> None:
        """The worker sends no more; the transport closes itself after this."""
        self.usable = False

    def pause_writing(self) -> None:
        """A request is sent whole: there is nothing to pause."""

    def resume_writing(self) -> None:
        """See pause_writing."""

    def data_received(self, data: bytes) -> None:
        """The hot path: one read of a stream is one write to the client."""
        if self._left:
            self._counted(data)
        elif self._head is not None:
            try:
                self._llhttp(data)
            except httptools.HttpParserError as error:
                self._break(f"the worker's answer is not valid HTTP: {error}")
                return
            if self._due:
                data = self._within_length(data)
            elif self._ended:
                data = self._within_chunks(data)
            self._third = self._second
            self._second = self._last
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
        self._llhttp = _nowhere  # llhttp points back here
        if self.receiver is None:
            self._released(self)
        elif self._head is not None and exc is None and self._head.until_close:
            self._finish()
        else:
            unused = self.answers > 0 and not (self._begun or self._interims or self._raw)
            text = "the worker closed the connection" if exc is None else f"the connection broke: {exc}"
            self._break(text, unused=unused)

    # -- for the pool and the request

    def send(self, receiver: Receiver, head: bytes, body: bytes) -> None:
        """Sends a request; its answer goes to ``receiver``."""
        self.receiver = receiver
        self._begun = self._interims = 0
        self._ended = False
        if len(body) < ONE_WRITE:
            self._send(head + body)
        else:
            self._large = True
            self._send(head)
            self._send(body)

    def close(self) -> None:
        """Closes at once: the worker sees that its client has gone, and stops working for it."""
        self.usable = False
        self.receiver = None
        self.write = _nowhere
        self._left = 0
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

    def heard(self, now: float) -> float:
        """When the latest bytes of the answer came, as far as calls of this can tell: it is late by the time
        between two calls. While the client does not read, nothing is expected to come."""
        if self._last is not self._heard or self._paused:
            self._heard, self._heard_at = self._last, now
        return self._heard_at

    @property
    def head(self) -> AnswerHead | None:
        """The head of the answer under way; None before it is there."""
        return self._head

    def between_events(self) -> bool:
        """True where what was passed on is known to end with a whole event of a stream of events."""
        chunked = self._head is not None and self._head.chunked
        return self._last.endswith(_CHUNKED_EVENT_ENDS if chunked else _EVENT_ENDS)

    @property
    def unread(self) -> int:
        """Bytes kept of an answer's head that has begun."""
        return len(self._raw)

    def between_chunks(self) -> bool:
        """True where a chunk of our own may follow what was passed on. To be asked once, at the end.

        As many chunks have ended as begun, and the last byte is no part of a chunk's size line.
        """
        return self.on_chunk_header() == self.on_chunk_complete() and self._last.endswith(b"\n")

    def tail(self) -> bytes:
        """The last bytes of the answer, ``TAIL`` at most, of its last three reads. Asked once, at the end.

        vLLM writes the usage of a stream, its [DONE] and the last chunk one by one.
        """
        last = self._last
        if len(last) < TAIL:
            last = self._third[-TAIL:] + self._second[-TAIL:] + last
        return last[-TAIL:]

    # -- reading an answer

    def _read_head(self, receiver: Receiver, data: bytes) -> None:
        raw = self._raw + data if self._raw else data
        if self._again(receiver, raw):
            return
        self._raw = b""
        while (end := raw.find(b"\r\n\r\n") + 4) >= 4:
            interim = raw.startswith(_INTERIM)
            if self.on_switch is not None and raw.startswith(b"HTTP/1.1 101 "):
                self._switch(self.on_switch, raw[:end], raw[end:])
                return
            try:
                self._llhttp(raw[:end] if interim else raw)
                head = self._understand(raw[:end])
            except httptools.HttpParserUpgrade:
                self._break("the worker switched protocols, which nobody asked for")
                return
            except (httptools.HttpParserError, ValueError) as error:
                self._break(f"the worker's answer is not valid HTTP: {error}")
                return
            if not interim:
                self._answer(receiver, head, raw, end)
                return
            if not self._skip_interim():
                return
            raw = raw[end:]
        self._raw = raw
        if len(raw) > MAX_HEAD:
            self._break(f"the head of the worker's answer is over {MAX_HEAD} bytes")

    def _switch(self, switched: Switch, raw: bytes, rest: bytes) -> None:
        """The connection is no HTTP any more, and belongs to who asked for that."""
        try:
            self._llhttp(raw)
        except httptools.HttpParserUpgrade:
            self.receiver = None
            switched(self.transport, raw, rest)
        except httptools.HttpParserError as error:
            self._break(f"the worker's answer is not valid HTTP: {error}")
        else:
            self._break("the worker's 101 names no protocol")

    def _answer(self, receiver: Receiver, head: AnswerHead, raw: bytes, end: int) -> None:
        if head.draining:
            self.close()
            self._released(self)
            receiver.worker_drains()
        else:
            self._pass_on(receiver, head, raw, end)

    def _again(self, receiver: Receiver, raw: bytes) -> bool:
        """The usual case, in a tenth of the steps: the head of the answer before, its length apart.

        llhttp stands between two messages before it and after it, so it need not see this one: it has judged
        the head, and of a body with a Content-Length it would only count the bytes.
        """
        head, same = self._known, self._same
        if head is None or same is None or not head.counted or receiver.head_only:
            return False
        end = same.end_in(raw)
        left = (same.length or 0) - (len(raw) - end)
        if not end or left < 0:
            return False
        self._raw = b""
        self._begun, self._left = 1, left
        self._head, self._last = head, raw
        receiver.answer_began(self, head, raw[:end], raw[end:])
        if not left:
            self._finish()
        return True

    def _counted(self, data: bytes) -> None:
        """More of a body of which the length is known; what comes after it is nobody's."""
        left = self._left - len(data)
        if left < 0:
            data = data[: self._left]
            self.usable = False
            left = 0
        self._left = left
        self._third = self._second
        self._second = self._last
        self._last = data
        self.write(data)
        if not self._left:
            self._finish()

    def _understand(self, raw: bytes) -> AnswerHead:
        """Reads a head; one like the connection's last is not read again."""
        same = self._same
        if self._known is None or same is None or same.end_in(raw) != len(raw):
            self._known, self._same = AnswerHead(raw), SameHead(raw)
        return self._known

    def _skip_interim(self) -> bool:
        """100 and 103 are for this hop. False where the connection is broken."""
        self._begun, self._ended = 0, False
        self._interims += 1
        if self._interims > MAX_INTERIMS:
            self._break(f"the worker sent more than {MAX_INTERIMS} interim answers")
        return self.receiver is not None

    def _pass_on(self, receiver: Receiver, head: AnswerHead, raw: bytes, end: int) -> None:
        self._head, self._last = head, raw
        if not head.persistent or head.until_close:
            self.usable = False
        self._due = (self._same.length or 0) if self._same is not None else 0
        rest = raw[end:]
        if receiver.head_only or head.bodiless:
            self._due = 0
            self._ended, self.usable = True, False  # llhttp may wait for a body that does not come
            rest = b""  # a client takes what follows for the beginning of its next answer
        elif head.has_length:
            rest = self._within_length(rest)
        elif self._ended and rest:
            rest = self._within_chunks(rest)
        receiver.answer_began(self, head, raw[:end], rest)
        if self._ended:
            self._finish()

    def _within_length(self, data: bytes) -> bytes:
        """``data`` without what comes after the answer's length. llhttp takes line ends there for nothing,
        and a client's next answer would begin with them."""
        left = self._due
        self._due = max(0, left - len(data))
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
        if self._large and self.transport.get_write_buffer_size():
            self.usable = False  # it answered before it had the whole request
        self._large = False
        if not self.usable:
            self.transport.abort()
        self._released(self)
        if receiver is not None:
            receiver.answer_ended()
        self._last = self._second = self._third = b""

    def _break(self, reason: str, *, unused: bool = False) -> None:
        receiver = self.receiver
        self._left = 0
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
