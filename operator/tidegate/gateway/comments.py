"""Comments in a stream of events while its request waits, so that neither client nor proxy takes it for dead.

A client asks for them with ``x-tidegate-comments: <seconds>`` beside ``"stream": true``. The first comment
sends the answer's head, 200 and text/event-stream, before any worker has said a word. From then on

- a refusal or a failure is an error event, and the books have its true status and outcome,
- the head of the worker's answer is not for the client,
- a worker's stream is passed on as it comes, in the framing that the client was promised,
- any other answer of a worker (an error, or JSON from one that does not stream) is one event with its body.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.worker_state import WorkerState
from tidegate.gateway import response
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.passage import Dechunker

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange

LONGEST_EVENT: Final = 256 * 1024  # bytes of an answer that is no stream: it is held whole, to be one event
_HEAD: Final = b"content-type: text/event-stream\r\ncache-control: no-cache\r\nx-request-id: %b\r\n%b\r\n"
_CHUNKED, _UNTIL_CLOSE = b"transfer-encoding: chunked\r\n", b"connection: close\r\n"
Write = Callable[[bytes], None]


def due(x: Exchange, now: float) -> None:
    """Sends a comment where its time has come. The sweep asks this of each request that asked for comments
    and has no answer yet."""
    every, comments = x.request.head.comments, x.comments
    if now - (x.arrived if comments is None else comments.latest) < every:
        return
    if comments is None:
        if x.peeked.stream is not True:
            return
        comments = x.comments = Comments(x)
    comments.latest = now
    comments.write(_text(x, now - x.arrived))


def _text(x: Exchange, since: float) -> bytes:
    service = x.service
    if service is None or (x.ticket is not None and x.ticket.endpoint is not None):
        return b": %.0f s, a worker has the request\n\n" % since
    state = "busy" if service.state is WorkerState.RUNNING else service.state.value
    return b": waiting, %.0f s; in line: %d, workers: %b\n\n" % (since, service.flow.waiting, state.encode())


class Comments:
    """An answer whose head went out before its worker's."""

    __slots__ = ("_body", "_chunked", "_held", "_send", "_status", "_through", "latest")

    def __init__(self, x: Exchange) -> None:
        """Sends the head."""
        self.latest = 0.0
        self._chunked = not x.request.head.http10
        self._send: Write = x.connection.write
        self._through = False  # the worker's own chunks go to the client
        self._body: list[bytes] | None = None  # of an answer that is no stream
        self._held = self._status = 0
        if not self._chunked:
            x.keep_alive = False
        framing = _CHUNKED if self._chunked else _UNTIL_CLOSE
        self._send(response.status_line(200) + _HEAD % (x.id, framing))

    def write(self, data: bytes) -> None:
        """Sends some of the body, which is not empty, in the framing that the head promised."""
        self._send(response.chunk(data) if self._chunked else data)

    def take_over(self, write: Write, head: AnswerHead, raw: bytes) -> Write:
        """Where the body of a worker's answer goes; ``write`` is the client's transport."""
        onward: Write = self.write
        if head.status != 200 or not head.sse:
            self._body, self._status = [], head.status
            onward = self._collect
        elif head.chunked and self._chunked:
            self._through = True
            return write
        return Dechunker(raw, onward).feed if head.chunked else onward

    def _collect(self, data: bytes) -> None:
        self._held += len(data)
        if self._body is not None and self._held <= LONGEST_EVENT:
            self._body.append(data)

    def end(self) -> ApiError | None:
        """The worker's answer is whole: sends what is left. An ApiError where it is too long for an event."""
        if self._held > LONGEST_EVENT:
            message = f"the worker's answer is no stream, and over {LONGEST_EVENT} bytes"
            return errors.worker_answered(502, message)
        if self._body is not None:
            self.write(_as_event(self._status, b"".join(self._body)))
        if self._chunked and not self._through:
            self._send(response.LAST_CHUNK)
        return None

    def last_event(self, x: Exchange, error: ApiError) -> bytes:
        """The end of the answer that says ``error``; empty where the worker's bytes leave it no place."""
        event = error.messages_event() if b"/v1/messages" in x.target else error.event()
        if x.answered and self._body is None:
            event = b"\n\n" + event  # an event that broke off would swallow it
        if self._through and x.upstream is not None and not x.upstream.between_chunks():
            return b""
        return response.chunk(event) + response.LAST_CHUNK if self._chunked else event


def _as_event(status: int, body: bytes) -> bytes:
    """A worker's answer as one event. A client of streams knows an error by the key ``error`` alone."""
    text = body.decode(errors="replace").strip()
    if status != 200 and not _is_error(text):
        status = status if status >= 400 else 502  # 204 or a redirect: nothing that a stream can be
        return errors.worker_answered(status, text[:1000] or "the worker answered without a body").event()
    return b"".join(b"data: %b\n" % line.encode() for line in text.splitlines() or [""]) + b"\n"


def _is_error(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "error" in value
