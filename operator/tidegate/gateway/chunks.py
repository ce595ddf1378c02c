"""Takes the chunk framing off a request's body, and finds its end to the byte."""

from __future__ import annotations

import re
from typing import Final

from tidegate.domain import api_errors as errors
from tidegate.gateway.request import MAX_FIELD, MAX_FIELDS, MAX_HEAD, Refusal, fields_too_large

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")
MAX_SIZE_LINE: Final = 1024  # bytes of a chunk's size and its extensions
FRAMING_PER_BYTE, FRAMING_ALLOWANCE = 16, 64 * 1024


class ChunkedBody:
    """One chunked body. llhttp is fed the same bytes and judges them too; both must agree on the end."""

    __slots__ = ("_framing", "_left", "_line", "_received", "_trailer_bytes", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # bytes of the current chunk and its line end that are to come
        self._line = b""  # a line that has begun
        self._trailers = -1  # how many; -1 before the last chunk
        self._received = self._framing = self._trailer_bytes = 0

    @property
    def to_come(self) -> int:
        """Bytes of the chunk under way that are still to come, its line end included."""
        return self._left

    def feed(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """Reads from ``at`` on: the pieces of the body, and where what was read ends in ``data``."""
        pieces: list[bytes] = []
        while at < len(data) and not self.done:
            at = self._in_chunk(data, at, pieces) if self._left else self._in_line(data, at)
        return pieces, at

    def _in_chunk(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        body = self._left - 2  # the line end after a chunk is not body
        if body > 0:
            piece = data[at : at + body]
            pieces.append(piece)
            self._received += len(piece)
            self._left -= len(piece)
            return at + len(piece)
        if data[at] != b"\r\n"[-self._left]:
            raise Refusal(errors.invalid("a chunk of the body is longer than its size says"))
        self._left -= 1
        return at + 1

    def _in_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        part = data[at:] if end < 0 else data[at : end + 1]
        self._line += part
        self._bound(len(part))
        if end < 0:
            return len(data)
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise Refusal(errors.invalid("a line of the chunked body ends without CR"))
        if self._trailers < 0:
            self._size(line[:-2])
        else:
            self._trailer(line)
        return end + 1

    def _size(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise Refusal(errors.invalid("a chunk size of the body is not a hexadecimal number"))
        size = int(match[1], 16)
        if size:
            self._left = size + 2
        else:
            self._trailers = 0

    def _trailer(self, line: bytes) -> None:
        """Trailers are for this hop: they are counted, judged by llhttp, and dropped."""
        self.done = line == b"\r\n"
        self._trailers += 1
        self._trailer_bytes += len(line)
        if self._trailers > MAX_FIELDS or self._trailer_bytes > MAX_HEAD:
            raise Refusal(fields_too_large())

    def _bound(self, size: int) -> None:
        self._framing += size
        if len(self._line) > (MAX_SIZE_LINE if self._trailers < 0 else MAX_FIELD):
            raise Refusal(fields_too_large())
        if self._framing > FRAMING_PER_BYTE * self._received + FRAMING_ALLOWANCE:
            raise Refusal(errors.invalid("the body's chunks are almost all framing: send larger chunks"))
