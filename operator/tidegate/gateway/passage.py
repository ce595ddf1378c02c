"""The heads that the gateway writes: of a request to its worker, of an answer to its client."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httptools

from tidegate.gateway import response
from tidegate.gateway.request import Request
from tidegate.gateway.upstream import AnswerHead


def request_head(request: Request, target: bytes, authority: bytes, request_id: bytes) -> bytes:
    """The head that a worker gets: Host rewritten, hop-by-hop fields gone, the body's length known."""
    length = b""
    if request.received or request.content_length is not None or request.chunked:
        length = b"content-length: %d\r\n" % request.received
    return b"".join(
        (
            request.method,
            b" ",
            target,
            b" HTTP/1.1\r\nhost: ",
            authority,
            b"\r\n",
            *request.fields,
            length,
            b"x-request-id: ",
            request_id,
            b"\r\n\r\n",
        )
    )


def answer_head(head: AnswerHead, raw: bytes, own: Iterable[bytes], *, close: bool, whole: bool) -> bytes:
    """The head that a client gets: the worker's own bytes and the gateway's fields after them.

    It is built anew where a field of it is for the worker's hop alone, or where the chunk framing
    is taken off for HTTP/1.0 (``whole`` False).
    """
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    if whole and not head.rewrite and raw.startswith(b"HTTP/1.1 "):
        return b"".join((raw[:-2], *own, end))
    fields = (
        head.fields if whole else [f for f in head.fields if not f.lower().startswith(b"transfer-encoding")]
    )
    return b"".join((response.status_line(head.status), *fields, *own, end))


class Dechunker:
    """Takes the chunk framing off an answer for a client of HTTP/1.0, which ends with its connection."""

    def __init__(self, raw_head: bytes, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(raw_head)

    def feed(self, data: bytes) -> None:
        """Some of the chunked body, which another parser has found valid."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Called by llhttp."""
        self._write(data)
