"""The heads that the gateway writes: of a request to its worker, of an answer to its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import httptools

from tidegate.gateway import response
from tidegate.gateway.answer import AnswerHead, without_hop_fields
from tidegate.gateway.request import Request

_WEBSOCKET: Final = b"connection: Upgrade\r\nupgrade: websocket\r\n"


def request_head(request: Request, target: bytes, authority: bytes, request_id: bytes) -> bytes:
    """The head that a worker gets: Host rewritten, hop-by-hop fields gone, the body's length known."""
    head = request.head
    if request.received or request.content_length is not None or head.chunked:
        form = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bx-request-id: %b\r\ncontent-length: %d\r\n\r\n"
        return form % (
            head.method,
            target,
            authority,
            head.fields,
            request_id,
            request.received + request.grown,
        )
    form = b"%b %b HTTP/1.1\r\nhost: %b\r\n%bx-request-id: %b\r\n\r\n"
    return form % (head.method, target, authority, head.fields, request_id)


def websocket_request_head(request: Request, target: bytes, authority: bytes, request_id: bytes) -> bytes:
    """The handshake that a worker gets: the fields of this hop are written anew."""
    form = b"GET %b HTTP/1.1\r\nhost: %b\r\n%b%bx-request-id: %b\r\n\r\n"
    return form % (target, authority, request.head.fields, _WEBSOCKET, request_id)


def websocket_answer_head(raw: bytes, own: bytes) -> bytes:
    """The 101 that a client gets."""
    fields = without_hop_fields(raw, framing=False).partition(b"\r\n")[2][:-2]
    return b"".join((response.status_line(101), fields, own, _WEBSOCKET, b"\r\n"))


def answer_head(head: AnswerHead, raw: bytes, own: bytes, *, close: bool) -> bytes:
    """The head that a client gets: the worker's own bytes, and the gateway's fields after them.

    It is built anew where a field of it is for the worker's hop alone.
    """
    if not head.rewrite and not (close and head.keeps_alive):
        return raw[:-2] + own + (b"connection: close\r\n\r\n" if close else b"\r\n")
    return _anew(head, without_hop_fields(raw, framing=True), own, close=close)


def answer_head_without_chunks(head: AnswerHead, raw: bytes, own: bytes) -> bytes:
    """The same for a client of HTTP/1.0, where the body ends with the connection."""
    return _anew(head, without_hop_fields(raw, framing=False), own, close=True)


def _anew(head: AnswerHead, raw: bytes, own: bytes, *, close: bool) -> bytes:
    fields = raw.partition(b"\r\n")[2][:-2]
    end = b"connection: close\r\n\r\n" if close else b"\r\n"
    return b"".join((response.status_line(head.status), fields, own, end))


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
