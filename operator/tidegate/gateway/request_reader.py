"""Turns a client's bytes into requests: llhttp reads, and what llhttp lets pass is refused here."""

from __future__ import annotations

from collections import deque

import httptools

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.gateway.request import MAX_TARGET, SPECIAL_FIELDS, Refusal, Request

MAX_FIELD = 8 * 1024  # bytes of one header line
MAX_HEAD = 32 * 1024  # bytes of all of them
MAX_FIELDS = 100
FRAMING_ALLOWANCE = 64 * 1024  # bytes of chunk sizes, extensions and trailers beyond 16 per byte of body


class RequestReader:
    """Feeds llhttp; whole and begun requests stand in ``requests``, in their order.

    ``feed`` raises Refusal for bytes that are not HTTP/1.1 as it should be; the requests before
    them stay valid, and nothing may be fed after it.
    """

    __slots__ = (
        "_field_bytes",
        "_field_count",
        "_framing",
        "_mute",
        "_parser",
        "_request",
        "_upgrade_ignored",
        "body_limit",
        "closed",
        "requests",
    )

    def __init__(self, body_limit: int) -> None:
        self.requests: deque[Request] = deque()
        self.body_limit = body_limit
        self.closed = False  # the client said that it sends no more
        self._request = Request()
        self._request.complete = True
        self._field_bytes = self._field_count = self._framing = 0
        self._mute = self._upgrade_ignored = False
        self._parser = httptools.HttpRequestParser(self)

    def close(self) -> None:
        """Nothing will be fed any more: lets go of llhttp, which points back here."""
        self.closed = True
        del self._parser

    @property
    def reading(self) -> Request | None:
        """The request that is not complete yet; None between requests."""
        return None if self._request.complete else self._request

    def feed(self, data: bytes) -> None:
        """Reads ``data``; Refusal where it is not acceptable."""
        if self.closed:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if self._request.complete and not self._request.keep_alive:
                self.closed = True  # bytes after the last request of a connection: nobody's
                return
            raise self._refusal(error) from None
        if not self._request.complete:
            self._check_volume(len(data))

    def _check_volume(self, size: int) -> None:
        """Bounds what is neither a header line yet nor body: an endless field, or endless chunk framing."""
        request = self._request
        self._framing += size
        if not request.head_done and self._framing > MAX_HEAD + 256 * 1024:
            raise Refusal(_fields_too_large())  # an endless target was refused in on_url
        if request.chunked and self._framing > 17 * request.received + FRAMING_ALLOWANCE + 256 * 1024:
            raise Refusal(errors.invalid("the body's chunks are almost all framing: send larger chunks"))

    def _refusal(self, error: httptools.HttpParserError) -> Refusal:
        cause = error.__context__
        if isinstance(cause, Refusal):
            return cause
        text = str(error)
        if "HTTP version" in text or "PRI/Upgrade" in text:
            return Refusal(_version())
        if "Invalid method" in text:
            return Refusal(errors.invalid("the request's method is not known", status=501))
        return Refusal(errors.invalid(f"not valid HTTP/1.1: {text}"))

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Goes on as if Upgrade had not been sent, as RFC 9110 allows: llhttp alone would stop here."""
        request = self._request
        framing = (
            b"transfer-encoding: chunked"
            if request.chunked
            else b"content-length: %d" % (request.content_length or 0)
        )
        self._upgrade_ignored = False
        self._parser = httptools.HttpRequestParser(self)
        self._mute = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        self._mute = False
        if rest:
            self.feed(rest)

    # -- called by llhttp

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if not self._mute:
            self._request = Request()
            self._field_bytes = self._field_count = self._framing = 0

    def on_url(self, url: bytes) -> None:
        """The target, or a piece of it."""
        if self._mute:
            return
        self._request.target += url
        if len(self._request.target) > MAX_TARGET:
            raise Refusal(_target_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field, or one trailer field, which is counted and dropped."""
        request = self._request
        size = len(name) + len(value)
        self._field_bytes += size
        self._field_count += 1
        if size > MAX_FIELD or self._field_bytes > MAX_HEAD or self._field_count > MAX_FIELDS:
            raise Refusal(_fields_too_large())
        if request.head_done:
            return
        key = name.lower()
        if key in SPECIAL_FIELDS:
            request.special.append((key, value))
        else:
            request.fields.append(b"%b: %b\r\n" % (name, value))

    def on_headers_complete(self) -> None:
        """The empty line after the header."""
        if self._mute:
            return
        request, parser = self._request, self._parser
        version = parser.get_http_version()
        request.http10 = version == "1.0"
        if version != "1.1" and not request.http10:
            raise Refusal(_version())
        request.method = parser.get_method()
        if request.method == b"CONNECT":
            raise Refusal(errors.invalid("CONNECT: this is no forward proxy", status=501))
        request.finish_head()
        request.keep_alive = parser.should_keep_alive()
        if parser.should_upgrade():
            self._upgrade(request)
        if (request.content_length or 0) > self.body_limit:
            raise Refusal(errors.too_large(request.content_length or 0, self.body_limit))
        request.head_done = True
        self.requests.append(request)

    def _upgrade(self, request: Request) -> None:
        if any(name == b"upgrade" and b"websocket" in value.lower() for name, value in request.special):
            raise Refusal(errors.invalid("Upgrade: websockets are not served here", status=501))
        self._upgrade_ignored = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body, its chunk framing taken off."""
        request = self._request
        request.add_body(data)
        if request.received > self.body_limit:
            raise Refusal(errors.too_large(request.received, self.body_limit))

    def on_message_complete(self) -> None:
        """The end of a request."""
        if not self._upgrade_ignored:
            self._request.complete = True


def _version() -> ApiError:
    message = (
        "only HTTP/1.1 and HTTP/1.0 are served: send HTTP/1.1, without prior knowledge of HTTP/2 or gRPC"
    )
    return errors.invalid(message, status=505, code="http_version_not_supported")


def _target_too_long() -> ApiError:
    return errors.invalid(f"the request target is longer than {MAX_TARGET} bytes", status=414)


def _fields_too_large() -> ApiError:
    message = f"the header is over {MAX_FIELDS} fields, {MAX_FIELD} bytes a field or {MAX_HEAD} bytes in all"
    return errors.invalid(message, status=431)
