"""The access log: one line of JSON a request, written in batches and never on the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

_log = logging.getLogger("tidegate.gateway")
MAX_LINES = 100_000  # that wait for a slow reader of the log; more are dropped, and counted

# One formatting in C. Durations are seconds, time is Unix time at the request's end. Nothing of the body
# but the model's name, no field of the header but the request's id, and no query.
LINE = (
    b'{"time":%.3f,"id":"%b","outcome":"%b","code":%d,"service":"%b","method":"%b","path":%b,"model":%b,'
    b'"stream":%b,"tries":%d,"queue_wait":%.6f,"first_byte":%.6f,"total":%.6f,"reason":%b}\n'
)


def quoted(text: str) -> bytes:
    """A client's text as a JSON string; 200 characters of it at most."""
    return json.dumps(text[:200]).encode()


class AccessLog:
    """Lines are kept as they come and handed to ``write`` by ``flush``, a few times a second."""

    def __init__(self, write: Callable[[bytes], object] | None) -> None:
        self.enabled = write is not None
        self._write = write
        self._lines: list[bytes] = []
        self._writing: asyncio.Future[object] | None = None
        self.dropped = 0

    def add(self, line: bytes) -> None:
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
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, b"".join(lines))
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
