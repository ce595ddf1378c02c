"""One request of a client: what its head says, and its body as it arrives."""

from __future__ import annotations

import re

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError

MAX_TARGET = (
    8 * 1024
)  # bytes of a request target; nginx's large_client_header_buffers has the same line limit
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_KEEP_ALIVE_TOKENS = frozenset({b"keep-alive", b"close", b""})

# Not passed on as they came: hop-by-hop (RFC 9110, 7.6.1), or written anew by the gateway.
SPECIAL_FIELDS = frozenset(
    {
        b"connection",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    }
)


class Refusal(Exception):  # noqa: N818 - an answer rather than a failure of ours
    """A request that is answered with ``error`` and never reaches a service."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


class Request:
    """A request as its head and body arrive; ``fields`` are the header lines to pass on, as they came."""

    __slots__ = (
        "_parts",
        "chunked",
        "complete",
        "content_length",
        "content_type",
        "expects_continue",
        "fields",
        "head_done",
        "host",
        "http10",
        "keep_alive",
        "method",
        "received",
        "request_id",
        "special",
        "target",
    )

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.host = b""
        self.fields: list[bytes] = []
        self.special: list[tuple[bytes, bytes]] = []
        self.content_length: int | None = None
        self.content_type = b""
        self.request_id = b""
        self.chunked = self.http10 = self.expects_continue = False
        self.keep_alive = True
        self.head_done = self.complete = False
        self.received = 0
        self._parts: list[bytes] = []

    def add_body(self, data: bytes) -> None:
        """Some more of the body."""
        self._parts.append(data)
        self.received += len(data)

    def body(self) -> bytes:
        """The body so far, in one piece."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    def drop_body(self) -> None:
        """Lets the body go: it will not be sent (again)."""
        self._parts = []

    def finish_head(self) -> None:
        """Reads the special fields; Refusal where they contradict HTTP/1.1 or each other."""
        hosts = 0
        for name, value in self.special:
            if name == b"host":
                hosts += 1
                self.host = value.strip(b" \t")
            elif name == b"content-length":
                self.content_length = int(value)  # llhttp let only digits through
            elif name == b"content-type":
                self.content_type = value
                self.fields.append(b"content-type: %b\r\n" % value)
            elif name == b"x-request-id":
                self.request_id = value if _REQUEST_ID.fullmatch(value) else b""
            elif name != b"connection" or value.lower() not in _KEEP_ALIVE_TOKENS:
                self._rare_field(name, value)
        self._check_target()
        self._check_host(hosts)

    def _rare_field(self, name: bytes, value: bytes) -> None:
        if name == b"transfer-encoding":
            self._check_coding(value)
        elif name == b"expect":
            if value.strip(b" \t").lower() != b"100-continue":
                raise Refusal(errors.invalid("Expect: only 100-continue is known", status=417))
            self.expects_continue = not self.http10
        elif name == b"connection":
            self._drop_nominated(value)

    def _check_coding(self, value: bytes) -> None:
        if self.http10:
            raise Refusal(errors.invalid("Transfer-Encoding: HTTP/1.0 has none; send a Content-Length"))
        if self.chunked or value.strip(b" \t").lower() != b"chunked":
            message = "Transfer-Encoding: only chunked is known, once and alone"
            raise Refusal(errors.invalid(message, status=501, reason="transfer_coding"))
        self.chunked = True

    def _drop_nominated(self, value: bytes) -> None:
        """Connection names fields that are for this hop only."""
        names = {token.strip(b" \t").lower() for token in value.split(b",")} - _KEEP_ALIVE_TOKENS
        self.fields = [line for line in self.fields if line.partition(b":")[0].lower() not in names]

    def _check_target(self) -> None:
        target = self.target
        if target.startswith(b"/"):
            if b"#" in target:
                raise Refusal(errors.invalid("the request target has a fragment (#…): leave it out"))
            return
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise Refusal(errors.invalid("the request target is no path: ask for /v1/…"))
        authority, path = absolute.groups()
        if not _HOST.fullmatch(authority) or b"#" in path:
            raise Refusal(errors.invalid("the request target's host is not a host, or it has a fragment"))
        self.special.append((b":authority", authority))
        self.target = path if path.startswith(b"/") else b"/" + path

    def _check_host(self, count: int) -> None:
        if count > 1:
            raise Refusal(errors.invalid("Host: sent more than once"))
        if count == 0 and not self.http10:
            raise Refusal(errors.invalid("Host: missing; HTTP/1.1 requires it"))
        if self.host and not _HOST.fullmatch(self.host):
            raise Refusal(errors.invalid("Host: not a host name with an optional port"))
        if self.special and self.special[-1][0] == b":authority":
            self.host = self.special[-1][1]  # RFC 9112, 3.2.2: the target's host stands above the field
