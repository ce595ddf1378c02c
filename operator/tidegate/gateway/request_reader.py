"""Turns a client's bytes into requests. llhttp judges every byte; where each request ends is found here,
and the two must agree, so that nobody can smuggle one request inside another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import httptools

from tidegate.domain import api_errors as errors
from tidegate.gateway.chunks import ChunkedBody
from tidegate.gateway.heads import SameHead
from tidegate.gateway.request import (
    MAX_HEAD,
    MAX_LINE,
    Head,
    Refusal,
    Request,
    fields_too_large,
    line_too_long,
    version_not_supported,
)

_ALWAYS_ALLOWED: Final = 64 * 1024  # bytes of a body for which the limit need not be asked


class RequestReader:
    """Whole and begun requests stand in ``requests``, in their order.

    ``feed`` raises Refusal for bytes that are not HTTP/1.1 as it should be; the requests before
    them stay valid, and nothing may be fed after it.
    """

    __slots__ = (
        "_blank",
        "_body_limit",
        "_chunks",
        "_last",
        "_left",
        "_llhttp",
        "_raw",
        "_same",
        "_tunnel",
        "_whole",
        "after",
        "closed",
        "reading",
        "requests",
    )

    def __init__(self, body_limit: Callable[[], int]) -> None:
        self.requests: deque[Request] = deque()
        self.after = b""  # what came behind a websocket's handshake
        self.closed = False  # the client said that it sends no more
        self.reading: Request | None = None  # its body is on its way
        self._body_limit = body_limit
        self._raw = b""  # a head that has begun
        self._last: Head | None = None
        self._same: SameHead | None = None  # what it was read from
        self._blank = 0  # bytes of an empty line before the next head
        self._left = 0  # bytes of the body that are to come
        self._chunks: ChunkedBody | None = None
        self._tunnel = False  # no more HTTP comes
        self._whole = False  # llhttp has seen the end of a request
        self._llhttp: Callable[[bytes], None] = httptools.HttpRequestParser(self).feed_data

    def close(self) -> None:
        """Nothing will be fed any more: lets go of llhttp, which points back here."""
        self.closed = True
        self._llhttp = _nowhere

    @property
    def quiet(self) -> bool:
        """True where nothing has come of another request, and another may come."""
        return not (self.requests or self._raw or self.closed or self.reading is not None)

    @property
    def begun(self) -> bool:
        """True in the middle of a request's head or body."""
        return bool(self._raw) or self.reading is not None

    @property
    def unread(self) -> int:
        """Bytes kept of a head that has begun."""
        return len(self._raw)

    def feed(self, data: bytes) -> None:
        """Reads ``data``; Refusal where it is not acceptable."""
        if self.reading is None and not self._raw and not self.closed and self._again(data):
            return
        at = 0
        while at < len(data) and not self.closed:
            if self.reading is None:
                at = self._head(data, at)
            elif self._chunks is None:
                at = self._body(self.reading, data, at)
            else:
                at = self._chunked(self.reading, self._chunks, data, at)
        if self._tunnel:
            self.after += data[at:]

    def _again(self, data: bytes) -> bool:
        """The usual case, in a tenth of the steps: one whole request with the head of the one before it.

        llhttp stands between two messages before it and after it, so it need not see this one: it has judged
        the head, and with a Content-Length it has no opinion about the body.
        """
        head, same, size = self._last, self._same, len(data)
        if head is None or same is None or head.chunked or size > _ALWAYS_ALLOWED:
            return False
        end = same.end_in(data)
        length = same.length
        if not end or end + (length or 0) != size:
            return False
        request = Request(head, length)
        if end < size:
            request.add_body(data[end:])
        self.requests.append(request)
        request.complete = True
        self.closed = not head.keep_alive
        return True

    def _head(self, data: bytes, at: int) -> int:
        """Reads a head, or what there is of it; where it ends in ``data``."""
        if not self._raw and (self._blank == 1 or data[at] in b"\r\n"):
            return self._empty_line(data[at], at)
        raw = self._raw + data[at:] if self._raw or at else data
        before = len(self._raw)
        end = raw.find(b"\r\n\r\n", max(0, before - 3)) + 4
        if end < 4:
            if self._judge(raw[before:]) or self._whole:
                raise Refusal(version_not_supported())  # llhttp takes a line without a version for HTTP/0.9
            self._raw = raw
            if len(raw) > MAX_HEAD:
                raise Refusal(fields_too_large() if b"\r\n" in raw[:MAX_LINE] else line_too_long())
            return len(data)
        self._raw = b""
        head = raw[:end]
        upgrade = self._judge(head[before:] if before else head)
        request = self._read(head)
        if request.head.websocket:
            self._tunnel = self._whole = True
        elif upgrade:
            self._ignore_upgrade(request)
        self._begin(request)
        return at + end - before

    def _empty_line(self, byte: int, at: int) -> int:
        """One empty line before a request is allowed: some clients end a body with it."""
        if self._blank == 2 or byte != b"\r\n"[self._blank]:
            raise Refusal(
                errors.invalid("line ends before a request: at most one empty line may stand there")
            )
        self._blank += 1
        self._last = None  # the next head takes the long way, past this
        return at + 1

    def _read(self, raw: bytes) -> Request:
        """The request of a head; one like the connection's last is not read again."""
        self._blank = 0
        same = self._same
        if self._last is None or same is None or same.end_in(raw) != len(raw):
            self._last, same = Head(raw), SameHead(raw)
            self._same = same
        return Request(self._last, same.length)

    def _begin(self, request: Request) -> None:
        length = request.content_length
        if length is not None and length > _ALWAYS_ALLOWED and length > self._body_limit():
            raise Refusal(errors.too_large(length, self._body_limit()))
        self.requests.append(request)
        if request.head.chunked:
            self._chunks = ChunkedBody()
            self.reading = request
        elif length:
            self._left = length
            self.reading = request
        else:
            self._end(request)

    def _body(self, request: Request, data: bytes, at: int) -> int:
        piece = data[at : at + self._left] if at or len(data) > self._left else data
        self._judge(piece)
        request.add_body(piece)
        self._left -= len(piece)
        if not self._left:
            self._end(request)
        return at + len(piece)

    def _chunked(self, request: Request, chunks: ChunkedBody, data: bytes, at: int) -> int:
        pieces, end = chunks.feed(data, at)
        self._judge(data[at:end])
        for piece in pieces:
            request.add_body(piece)
        size = request.received + chunks.to_come
        if size > _ALWAYS_ALLOWED and size > self._body_limit():
            raise Refusal(errors.too_large(size, self._body_limit()))
        if chunks.done:
            self._end(request)
        return end

    def _end(self, request: Request) -> None:
        if not self._whole:
            raise Refusal(errors.invalid("the end of the request is not where its header says"))
        self._whole = False
        self.reading = self._chunks = None
        request.complete = True
        if not request.head.keep_alive:
            self.closed = True  # bytes after the last request of a connection: nobody's

    # -- llhttp

    def _judge(self, data: bytes) -> bool:
        """Refusal where llhttp finds fault; True where it would now leave HTTP for what Upgrade offers."""
        try:
            self._llhttp(data)
        except httptools.HttpParserUpgrade:
            return True
        except httptools.HttpParserError as error:
            raise _refusal(str(error)) from None
        return False

    def _ignore_upgrade(self, request: Request) -> None:
        """Goes on as if Upgrade had not been sent, as RFC 9110 allows: llhttp alone would stop here."""
        self._whole, self._last = False, None
        self._llhttp = httptools.HttpRequestParser(self).feed_data
        length = b"content-length: %d" % (request.content_length or 0)
        framing = b"transfer-encoding: chunked" if request.head.chunked else length
        self._llhttp(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")

    def on_message_complete(self) -> None:
        """Called by llhttp at the end of a request."""
        self._whole = True


def _refusal(text: str) -> Refusal:
    if "HTTP version" in text or "PRI/Upgrade" in text:
        return Refusal(version_not_supported())
    if "Invalid method" in text:
        return Refusal(errors.invalid("the request's method is not known", status=501))
    if "Request has invalid `Transfer-Encoding`" in text:
        return Refusal(errors.invalid("Transfer-Encoding: only chunked is known, once and alone", status=501))
    return Refusal(errors.invalid(f"not valid HTTP/1.1: {text}"))


def _nowhere(_data: bytes) -> None:
    """What judges nothing any more."""
