"""One request of a client: what its head says, and its body as it arrives."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import FIRST_PRIORITY, LAST_PRIORITY

MAX_LINE: Final = 8 * 1024  # bytes of the request line, as nginx's large_client_header_buffers
MAX_FIELD: Final = 8 * 1024  # bytes of one header line, its line end included
MAX_HEAD: Final = 14 * 1024  # bytes of the request line and all fields; HAProxy's 16 KiB take as many
MAX_FIELDS: Final = 100

# The fields that are not passed on as they came: hop-by-hop (RFC 9110, 7.6.1), written anew here, or ours.
# The head was found valid by llhttp before it is searched with this.
_SPECIAL: Final = re.compile(
    rb"\r\n(con(?:nection|tent-(?:length|type))|expect|h(?:ost|ttp2-settings)|keep-alive|proxy-connection"
    rb"|t(?:e|railer|ransfer-encoding)|upgrade|x-(?:request-id|tidegate-[^:]*)): *([^\r]*)",
    re.IGNORECASE,
)
# Of two such fields the gateway could mean one and the worker the other; Host and the lengths apart.
_ONCE: Final = re.compile(  # in a lowered head: without IGNORECASE it costs a third
    rb"\r\n(authorization|content-(?:range|type)|expect|if-(?:(?:none-)?match|(?:un)?modified-since|range)):"
)
_HOST: Final = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_PRIORITY: Final = re.compile(rb"[+-]?[0-9]{1,3}")
_COMMENTS: Final = re.compile(rb"[1-9]|[1-5][0-9]|60")
_ACCEPT_ENCODING: Final = re.compile(rb"(?<=\r\n)accept-encoding:[^\r]*\r\n", re.IGNORECASE)
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x20\x7f]")
_PERCENT: Final = re.compile(rb"%(?:[1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f])")
_CONNECTION_WORDS: Final = frozenset({b"keep-alive", b"close", b""})
# Fields for the worker, whatever Connection says: a client must not take from a proxy's request what another
# proxy has put there, nor the type by which the body is read.
_END_TO_END: Final = frozenset(
    {b"authorization", b"content-encoding", b"content-type", b"cookie", b"forwarded", b"traceparent"}
    | {b"tracestate", b"via", b"x-api-key", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
    | {b"x-real-ip"}
)


class Refusal(Exception):  # noqa: N818 - an answer rather than a failure of ours
    """A request that is answered with ``error`` and never reaches a service."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


class Head:
    """What a request's head says, its length apart. ``fields`` are the header lines to pass on, as they came.

    It never changes, so that a client which sends the same head again on its connection has it read once.
    """

    __slots__ = (
        "chunked",
        "comments",
        "content_type",
        "degrade",
        "expects_continue",
        "fields",
        "host",
        "http10",
        "keep_alive",
        "method",
        "multipart",
        "priority",
        "request_id",
        "target",
        "websocket",
    )

    def __init__(self, raw: bytes) -> None:
        """Reads a head that llhttp has accepted; Refusal where it still is not HTTP/1.1 as it should be."""
        self.host = self.content_type = self.request_id = b""
        self.chunked = self.http10 = self.expects_continue = False
        self.multipart = False  # the body is a form of several parts
        self.websocket = False  # a handshake: the connection is to become a tunnel
        self.comments = 0  # seconds between two comments while a stream waits; 0: none
        self.keep_alive = True
        self.degrade = True  # its limit of tokens may be lowered
        self.priority: int | None = None  # None: it does not say
        line_end = raw.index(b"\r\n")
        self.method, self.target, version = _request_line(raw[:line_end])
        if version != b"HTTP/1.1":
            if version != b"HTTP/1.0":
                raise Refusal(version_not_supported())
            self.http10, self.keep_alive = True, False
        _check_size(raw)
        _check_once(raw)
        self.fields = _SPECIAL.sub(b"", raw)[line_end + 2 : -2]
        self._read(_SPECIAL.findall(raw))
        target = self.target
        if not target.startswith(b"/") or b"#" in target or b"%" in target or b"/.." in target:
            self._check_target()

    def _read(self, special: list[tuple[bytes, bytes]]) -> None:
        hosts = 0
        nominated: set[bytes] = set()
        for name, value in special:
            key = name.lower()
            if key == b"host":
                hosts += 1
                self.host = value.rstrip(b" ")
            elif key == b"content-type":
                self.content_type = value.strip(b" \t")
                self.multipart = self.content_type[:10].lower() == b"multipart/"
                self.fields += b"content-type: %b\r\n" % self.content_type
            elif key == b"x-request-id":
                sent = value.strip(b" \t")
                self.request_id = sent if _REQUEST_ID.fullmatch(sent) else b""
            elif key == b"connection":
                nominated |= self._connection(value)
            elif key != b"content-length":
                self._rare(key, value.strip(b" "))
            elif b"\t" in value:
                raise Refusal(errors.invalid("Content-Length: a tab beside the number; send spaces or none"))
        if nominated:
            self._drop(nominated)
        self._check_host(hosts)
        if self.websocket:
            self._check_websocket([(name.lower(), value.strip(b" \t").lower()) for name, value in special])

    def _check_host(self, count: int) -> None:
        if count > 1:
            raise Refusal(errors.invalid("Host: sent more than once"))
        if count == 0 and not self.http10:
            raise Refusal(errors.invalid("Host: missing; HTTP/1.1 requires it"))
        if count and not _is_host(self.host):
            raise Refusal(errors.invalid("Host: not a host name with an optional port"))

    def _rare(self, key: bytes, value: bytes) -> None:
        if key == b"transfer-encoding":
            self._coding(value.lower())
        elif key == b"expect":
            if value.lower() != b"100-continue":
                raise Refusal(errors.invalid("Expect: only 100-continue is known", status=417))
            self.expects_continue = not self.http10
        elif key == b"x-tidegate-comments":
            self._comments(value.strip(b" \t"))
        elif key == b"x-tidegate-degrade":
            self._refuse_degradation(value.strip(b" \t").lower())
        elif key == b"upgrade" and b"websocket" in value.lower():
            self.websocket = True
        elif key == b"x-tidegate-priority":
            self.priority = asked_priority(self.priority, value.strip(b" \t"))

    def _check_websocket(self, special: list[tuple[bytes, bytes]]) -> None:
        upgrades = [value for key, value in special if key == b"upgrade"]
        words = (
            b",".join(value for key, value in special if key == b"connection").replace(b" ", b"").split(b",")
        )
        body = self.chunked or any(key == b"content-length" and value != b"0" for key, value in special)
        if (
            self.method != b"GET"
            or self.http10
            or body
            or upgrades != [b"websocket"]
            or b"upgrade" not in words
        ):
            text = (
                "Upgrade: websocket comes alone, with GET, HTTP/1.1, Connection: Upgrade, and without a body"
            )
            raise Refusal(errors.invalid(text))
        self.keep_alive = False  # what follows is no HTTP

    def _refuse_degradation(self, value: bytes) -> None:
        if value != b"never":
            text = (
                "x-tidegate-degrade: only never is known; leave it out to let the limit of tokens be lowered"
            )
            raise Refusal(errors.invalid(text))
        self.degrade = False

    def _comments(self, value: bytes) -> None:
        if self.comments or not _COMMENTS.fullmatch(value):
            text = "x-tidegate-comments: once, a whole number of seconds from 1 to 60 between two comments"
            raise Refusal(errors.invalid(text))
        self.comments = int(value)
        # The head of the worker's answer may not reach the client, and then nobody says how it is encoded.
        self.fields = _ACCEPT_ENCODING.sub(b"", b"\r\n" + self.fields)[2:]

    def _connection(self, value: bytes) -> set[bytes]:
        """Reads whether it stays; the fields that are for this hop only."""
        words = {word.strip(b" \t").lower() for word in value.split(b",")}
        if b"close" in words:
            self.keep_alive = False
        return words - _CONNECTION_WORDS - _END_TO_END

    def _drop(self, nominated: set[bytes]) -> None:
        lines = self.fields.split(b"\r\n")
        kept = [line for line in lines if line.partition(b":")[0].lower() not in nominated]
        self.fields = b"\r\n".join(kept)

    def _coding(self, value: bytes) -> None:
        if self.http10:
            raise Refusal(errors.invalid("Transfer-Encoding: HTTP/1.0 has none; send a Content-Length"))
        if self.chunked or value != b"chunked":
            message = "Transfer-Encoding: only chunked is known, once and alone"
            raise Refusal(errors.invalid(message, status=501, reason="transfer_coding"))
        self.chunked = True

    def _check_target(self) -> None:
        if b"#" in self.target:
            raise Refusal(errors.invalid("the request target has a fragment (#…): leave it out"))
        if not self.target.startswith(b"/"):
            self._take_absolute()
        _check_path(self.target.partition(b"?")[0])

    def _take_absolute(self) -> None:
        absolute = _ABSOLUTE.fullmatch(self.target)
        if absolute is None:
            raise Refusal(errors.invalid("the request target is no path: ask for /v1/..."))
        authority, path = absolute.groups()
        if not _is_host(authority):
            raise Refusal(errors.invalid("the request target's host is not a host"))
        if self.host and authority.lower() != self.host.lower():
            raise Refusal(errors.invalid("Host: not the host of the request target; send the same in both"))
        self.host = authority
        self.target = path if path.startswith(b"/") else b"/" + path


class Request:
    """One request: its head, and its body as it arrives."""

    __slots__ = ("_body", "_parts", "complete", "content_length", "grown", "head", "received")

    def __init__(self, head: Head, length: int | None) -> None:
        self.head = head
        self.content_length = length
        self.complete = False
        self.received = 0
        self.grown = 0  # bytes that the body has gained (negative: lost) since it was received
        self._body = b""
        self._parts: list[bytes] | None = None

    def add_body(self, data: bytes) -> None:
        """Some more of the body."""
        self.received += len(data)
        if not self._body:
            self._body = data
        elif self._parts is None:
            self._parts = [self._body, data]
        else:
            self._parts.append(data)

    def body(self) -> bytes:
        """The body so far, in one piece."""
        if self._parts is not None:
            self._body, self._parts = b"".join(self._parts), None
        return self._body

    def replace_body(self, data: bytes) -> None:
        """Sends ``data`` instead, from now on."""
        self._body, self._parts = data, None
        self.grown = len(data) - self.received

    def drop_body(self) -> None:
        """Lets the body go: it will not be sent (again)."""
        self._body, self._parts = b"", None


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.split(b" ")
    if len(parts) < 3:
        raise Refusal(version_not_supported())  # HTTP/0.9
    if len(line) > MAX_LINE:
        raise Refusal(line_too_long())
    if len(parts) > 3:
        raise Refusal(errors.invalid("the request line is not three words with one space between them"))
    method, target, version = parts
    if _CONTROL.search(target):
        # llhttp takes the rest of the line for a field where a line end of HTTP/0.9 stands in the target.
        raise Refusal(errors.invalid("the request target has a control character: write it as %XX"))
    if method == b"CONNECT":
        raise Refusal(errors.invalid("CONNECT: this is no forward proxy", status=501))
    if method == b"TRACE":
        raise Refusal(errors.invalid("TRACE: a request is not sent back, with its keys in it", status=501))
    return method, target, version


def _is_host(value: bytes) -> bool:
    match = _HOST.fullmatch(value)
    if match is None or b".." in value or match[1] == b".":
        return False
    return match[2] is None or int(match[2]) < 1 << 16


def _check_once(raw: bytes) -> None:
    names = _ONCE.findall(raw.lower())
    if len(names) > 1 and len(set(names)) < len(names):
        twice = max(names, key=names.count)
        raise Refusal(errors.invalid(f"{twice.decode()}: sent more than once"))


def _check_path(path: bytes) -> None:
    """Refuses an encoded NUL, a percent sign that encodes nothing, and a path that leaves its root."""
    if path.count(b"%") != len(_PERCENT.findall(path)):
        raise Refusal(errors.invalid("the request target has a % without the two digits of a character"))
    depth = 0
    for segment in unquote_to_bytes(path).split(b"/"):
        if segment == b"..":
            depth -= 1
        elif segment not in (b"", b"."):
            depth += 1
        if depth < 0:
            raise Refusal(errors.invalid("the request target's path leaves its root: too many .."))


def _check_size(raw: bytes) -> None:
    too_many = raw.count(b"\r\n") > MAX_FIELDS + 2
    too_long = len(raw) > MAX_FIELD and max(map(len, raw.split(b"\r\n")[1:])) > MAX_FIELD - 2
    if too_many or too_long or len(raw) > MAX_HEAD:
        raise Refusal(fields_too_large())


def asked_priority(before: int | None, value: bytes) -> int:
    """The number in x-tidegate-priority; Refusal where it is none that is allowed, or the second one."""
    priority = int(value) if _PRIORITY.fullmatch(value) else LAST_PRIORITY + 1
    if before is not None or not FIRST_PRIORITY <= priority <= LAST_PRIORITY:
        message = (
            f"x-tidegate-priority: must be one whole number from {FIRST_PRIORITY} (runs first) "
            f"to {LAST_PRIORITY} (runs last)"
        )
        raise Refusal(errors.invalid(message))
    return priority


def version_not_supported() -> ApiError:
    """HTTP/0.9, HTTP/2 and whatever comes."""
    message = (
        "only HTTP/1.1 and HTTP/1.0 are served: send HTTP/1.1, without prior knowledge of HTTP/2 or gRPC"
    )
    return errors.invalid(message, status=505, code="http_version_not_supported")


def line_too_long() -> ApiError:
    """The method, the path and its query, and the version."""
    return errors.invalid(f"the request line is longer than {MAX_LINE} bytes", status=414)


def fields_too_large() -> ApiError:
    """The header, in one of its three measures."""
    message = f"the header is over {MAX_FIELDS} fields, {MAX_FIELD} bytes a field or {MAX_HEAD} bytes in all"
    return errors.invalid(message, status=431)
