"""The access log: one line of JSON a request, written in batches and never on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

_log = logging.getLogger("tidegate.gateway")
MAX_LINES = 100_000  # that wait for a slow reader of the log; more are dropped, and counted
MAX_TEXT = 200  # characters of a text that a client chose


class Line(msgspec.Struct, gc=False):
    """One line, its fields in this order. Nothing of the body but the model's name, no field of the header
    but the request's id, no query, and no address of a client."""

    time: float
    """Unix time at the request's end, in seconds."""

    id: str
    """The request's id, as x-request-id of its answer has it. Empty where it never became a request."""

    outcome: str
    """The word of its outcome."""

    code: int
    """The HTTP status; of an answer that was cut short, that of its error; 499 where the client left."""

    service: str = ""
    """namespace/name; empty where none was found."""

    endpoint: str = ""
    """host:port of the worker that it was sent to last; empty where it was sent to none."""

    method: str = ""
    """The HTTP method."""

    path: str = ""
    """The path within the service, without its query; 200 characters at most."""

    model: str = ""
    """The body's model; 200 characters at most; empty where there is none."""

    stream: bool = False
    """Whether the body asked for a stream."""

    tries: int = 0
    """How often it was sent to a worker."""

    queue_wait: float = 0.0
    """Seconds from arrival to dispatch; to its end, where it was never dispatched. Cold start included."""

    cold_wait: float = 0.0
    """Seconds of that in which no worker was ready."""

    first_byte: float | None = None
    """Seconds from arrival to the first byte of the answer's body; null where there was none."""

    total: float = 0.0
    """Seconds from arrival to the last byte."""

    prompt_tokens: int | None = None
    """Tokens of the prompt; null where the engine did not tell."""

    completion_tokens: int | None = None
    """Tokens of the answer; null where the engine did not tell."""

    cached_tokens: int | None = None
    """Tokens of the prompt that the engine had cached; null where it did not tell."""

    bytes_in: int = 0
    """Bytes of the request's body that came."""

    reason: str = ""
    """Why it was refused or failed, where there is more to say than the outcome."""

    degraded: str = ""
    """The tier and the limit of tokens, as x-tidegate-degraded of its answer has them; empty: unchanged."""


class AccessLog:
    """Lines are kept as they come and handed to ``write`` by ``flush``, a few times a second."""

    def __init__(self, write: Callable[[bytes], object] | None) -> None:
        self.enabled = write is not None
        self._write = write
        self._encode = msgspec.json.Encoder().encode_lines
        self._batches: list[bytes] = []
        self._waiting = 0  # lines
        self._writing: asyncio.Future[object] | None = None
        self.dropped = 0

    def add(self, lines: list[Line]) -> None:
        """Requests that have ended, not empty."""
        if self._waiting + len(lines) > MAX_LINES:
            self.dropped += len(lines)
            return
        self._batches.append(self._encode(lines))
        self._waiting += len(lines)

    def flush(self) -> None:
        """Hands what there is to a thread, unless the one before it still writes."""
        if not self._batches or self._write is None:
            return
        if self._writing is not None and not self._writing.done():
            return
        batches, self._batches, self._waiting = self._batches, [], 0
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, b"".join(batches))
        self._writing.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Writes what is left."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=1.0)
        self.flush()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=1.0)
        if self.dropped:
            _log.warning("the access log was read too slowly: %d lines were dropped", self.dropped)


def _log_failure(writing: asyncio.Future[object]) -> None:
    if not writing.cancelled() and (error := writing.exception()) is not None:
        _log.error("the access log cannot be written: %s", error)
