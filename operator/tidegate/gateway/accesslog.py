"""The access log: one line of JSON a request, written in batches and never on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec

_log = logging.getLogger("tidegate.gateway")
MAX_LINES = 100_000  # that wait for a slow reader of the log; more are dropped, and counted


class Line(msgspec.Struct, omit_defaults=True):
    """One request. Durations are seconds. Nothing of its body, and no field of its header but its id."""

    time: float  # Unix time of its end
    id: str
    outcome: str
    code: int
    service: str = ""
    method: str = ""
    path: str = ""
    model: str = ""
    stream: bool = False
    worker: str = ""
    tries: int = 0
    queue_wait: float = 0.0
    first_byte: float = 0.0
    total: float = 0.0
    reason: str = ""


class AccessLog:
    """Lines are kept as they come and handed to ``write`` by ``flush``, a few times a second."""

    def __init__(self, write: Callable[[bytes], object] | None) -> None:
        self.enabled = write is not None
        self._write = write
        self._lines: list[Line] = []
        self._encode = msgspec.json.Encoder().encode_lines
        self._writing: asyncio.Future[object] | None = None
        self.dropped = 0

    def add(self, line: Line) -> None:
        """One request has ended."""
        if len(self._lines) < MAX_LINES:
            self._lines.append(line)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Hands what there is to a thread, unless the one before it still writes."""
        if not self._lines or self._write is None or (self._writing is not None and not self._writing.done()):
            return
        lines, self._lines = self._lines, []
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, self._encode(lines))
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
