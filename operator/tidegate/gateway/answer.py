"""The head of a worker's answer: what the gateway must know of it; the bytes themselves are passed on."""

from __future__ import annotations

import re

# llhttp has found the head valid before it is searched with this.
_KNOWN = re.compile(
    rb"\r\n(con(?:nection|tent-(?:length|type))|keep-alive|proxy-connection|t(?:e|railer|ransfer-encoding)"
    rb"|upgrade|x-request-id):[ \t]*([^\r]*)",
    re.IGNORECASE,
)
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class AnswerHead:
    """One head. ``rewrite``: some field of it is not for the client."""

    length: int | None = None
    chunked = rewrite = False
    sse = False  # server-sent events: an error can still be told in the middle

    def __init__(self, raw: bytes) -> None:
        """Reads a whole head, its empty line included. ValueError for a coding that nobody asked for."""
        self.raw = raw
        self.status = int(raw[9:12])
        self.persistent = raw.startswith(b"HTTP/1.1 ")  # the connection outlives the answer
        for name, value in _KNOWN.findall(raw):
            key = name.lower()
            if key == b"content-length":
                self.length = int(value)
            elif key == b"content-type":
                self.sse = value.startswith(b"text/event-stream")
            elif key == b"transfer-encoding":
                self._coding(value)
            else:
                self.rewrite = True
                if key == b"connection" and b"close" in value.lower():
                    self.persistent = False

    def _coding(self, value: bytes) -> None:
        if value.strip(b" \t").lower() != b"chunked":
            raise ValueError("the answer has a transfer coding that nobody asked for")
        self.chunked = True

    @property
    def bodiless(self) -> bool:
        """No body follows, whatever the fields say."""
        return self.status in (204, 304)

    @property
    def draining(self) -> bool:
        """The worker took nothing, because it is about to stop: the request belongs to another one."""
        return self.status == 503 and b"\r\nx-tidegate-draining:" in self.raw.lower()

    @property
    def until_close(self) -> bool:
        """Its body ends with the connection."""
        return self.length is None and not self.chunked and not self.bodiless

    def without_hop_fields(self, *, framing: bool) -> bytes:
        """The head without what is for the worker's hop alone; ``framing`` False: without its framing too."""
        return _KNOWN.sub(lambda match: self._kept(match, framing), self.raw)

    @staticmethod
    def _kept(match: re.Match[bytes], framing: bool) -> bytes:
        key = match[1].lower()
        kept = key == b"content-type" or (framing and key in _FRAMING)
        return match[0] if kept else b""
