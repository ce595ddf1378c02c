"""Builds the answers that the gateway gives by itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from tidegate.domain.api_errors import ApiError

JSON: Final = b"application/json"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
_LINES: Final = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


def status_line(status: int) -> bytes:
    """``HTTP/1.1 404 Not Found`` with its line end."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def whole(
    status: int,
    body: bytes,
    *,
    content_type: bytes = JSON,
    fields: Iterable[bytes] = (),
    close: bool,
) -> bytes:
    """A complete answer. ``fields`` are whole header lines."""
    return b"".join(
        (
            status_line(status),
            b"content-type: %b\r\ncontent-length: %d\r\n" % (content_type, len(body)),
            *fields,
            b"connection: close\r\n\r\n" if close else b"\r\n",
            body,
        )
    )


def without_body(answer: bytes) -> bytes:
    """The same answer to a HEAD: its head alone."""
    return answer[: answer.index(b"\r\n\r\n") + 4]


def streamed_head(status: int, content_type: bytes, *, chunked: bool) -> bytes:
    """The head of an answer whose length is not known; it ends its connection. HTTP/1.0 knows no chunks."""
    framing = b"transfer-encoding: chunked\r\n" if chunked else b""
    form = b"content-type: %b\r\n%bconnection: close\r\n\r\n"
    return status_line(status) + form % (content_type, framing)


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk of a chunked body; not empty, since that would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def retry_after(error: ApiError) -> tuple[bytes, ...]:
    """The Retry-After line of a refusal that has one."""
    return () if error.retry_after is None else (b"retry-after: %d\r\n" % error.retry_after,)


def to_json(value: object) -> bytes:
    """``value`` as JSON with a line end, for people with curl."""
    return json.dumps(value).encode() + b"\n"
