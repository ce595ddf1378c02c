"""The head of a worker's answer: what the gateway must know of it; the bytes themselves are passed on."""

from __future__ import annotations

import re
from typing import Final

# llhttp has found the head valid before it is searched with this.
_KNOWN: Final = re.compile(
    rb"\r\n(con(?:nection|tent-(?:length|type))|keep-alive|proxy-connection|t(?:e|railer|ransfer-encoding)"
    rb"|upgrade|x-request-id):[ \t]*([^\r]*)",
    re.IGNORECASE,
)
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class AnswerHead:
    """What one head says, its length apart. It never changes: a worker's next answer may have the same."""

    __slots__ = (
        "bodiless",
        "chunked",
        "counted",
        "draining",
        "has_length",
        "keeps_alive",
        "persistent",
        "rewrite",
        "sse",
        "status",
        "until_close",
    )

    def __init__(self, raw: bytes) -> None:
        """Reads a whole head, its empty line included. ValueError for a coding that nobody asked for, or
        another version."""
        self.has_length = self.chunked = False
        self.sse = False  # server-sent events: an error can still be told in the middle
        self.rewrite = False  # some field of it is not for the client
        self.keeps_alive = False  # it says so: right for the client only where we keep its connection
        self.status = int(raw[9:12])
        self.persistent = raw.startswith(b"HTTP/1.1 ")  # the connection outlives the answer
        if not self.persistent:
            if not raw.startswith(b"HTTP/1.0 "):
                raise ValueError("the answer is neither HTTP/1.1 nor HTTP/1.0")
            self.rewrite = True
        if self.status < (100 if self.persistent else 200):
            raise ValueError(f"the answer's status is {self.status}")
        for name, value in _KNOWN.findall(raw):
            key = name.lower()
            if key == b"content-length":
                self.has_length = True
            elif key == b"content-type":
                self.sse = value.startswith(b"text/event-stream")
            elif key == b"transfer-encoding":
                self._coding(value)
            elif key == b"connection":
                self._connection(value.strip(b" \t").lower())
            else:
                self.rewrite = True
        # The worker took nothing, because it is about to stop: the request belongs to another one.
        self.draining = self.status == 503 and b"\r\nx-tidegate-draining:" in raw.lower()
        self.bodiless = self.status in (204, 304)  # no body follows, whatever the fields say
        # Its length tells where it ends, and the connection outlives it.
        self.counted = self.has_length and not (self.chunked or self.bodiless or self.draining)
        self.counted = self.counted and self.persistent and self.status >= 200
        self.until_close = not (self.has_length or self.chunked or self.bodiless)

    def _coding(self, value: bytes) -> None:
        if self.chunked or value.strip(b" \t").lower() != b"chunked":
            raise ValueError("the answer has a transfer coding that nobody asked for")
        if not self.persistent:
            raise ValueError("the answer is HTTP/1.0 and has a transfer coding")
        self.chunked = True

    def _connection(self, value: bytes) -> None:
        if value == b"keep-alive":
            self.keeps_alive = True
        else:
            self.rewrite = True
            self.persistent = self.persistent and b"close" not in value


def without_hop_fields(raw: bytes, *, framing: bool) -> bytes:
    """A head without what is for the worker's hop alone; ``framing`` False: without its framing too."""

    def kept(match: re.Match[bytes]) -> bytes:
        key = match[1].lower()
        return match[0] if key == b"content-type" or (framing and key in _FRAMING) else b""

    return _KNOWN.sub(kept, raw)
