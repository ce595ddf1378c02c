"""The heads that the gateway writes: of a request to its worker, of an answer to its client."""

from __future__ import annotations

from collections.abc import Callable

import httptools

from tidegate.gateway import response
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.request import Request


def request_head(request: Request, target: bytes, authority: bytes, request_id: bytes) -> bytes:
    """The head that a worker gets: Host rewritten, hop-by-hop fields gone, the body's length known."""
    if request.received or request.content_length is not None or request.chunked:
        form = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
        return form % (request.method, target, authority, request.fields, request_id, request.received)
    form = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bx-request-id: %b\r\n\r\n"
    return form % (request.method, target, authority, request.fields, request_id)


def answer_head(head: AnswerHead, own: bytes, *, close: bool, whole: bool) -> bytes:
    """The head that a client gets: the worker's own bytes and the gateway's fields after them.

    It is built anew where a field of it is for the worker's hop alone, or where the chunk framing
    is taken off for HTTP/1.0 (``whole`` False).
    """
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    raw = head.raw if whole and not head.rewrite else head.without_hop_fields(framing=whole)
    if not raw.startswith(b"HTTP/1.1 "):
        raw = response.status_line(head.status) + raw.partition(b"\r\n")[2]
    return raw[:-2] + own + end


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
