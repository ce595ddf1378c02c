"""Small writes to a disk that may be slow, done beside the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

_logger = logging.getLogger(__name__)


class LatestWrites:
    """One thread does them in their order; of those for one thing that still wait only the latest is done.

    Where no thread can be had they are done in place.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)
        self._waiting: dict[Hashable, Callable[[], None]] = {}

    def put(self, thing: Hashable, write: Callable[[], None]) -> None:
        """It is done soon; what it raises is logged."""
        self._waiting[thing] = write
        try:
            self._thread.submit(self._do, thing)
        except RuntimeError:  # no thread can be started, or it is closed
            self._do(thing)

    async def done(self) -> None:
        """Returns when all that were put before are done."""
        try:
            last = self._thread.submit(_nothing)
        except RuntimeError:
            return  # all were done in place
        await asyncio.wrap_future(last)

    def close(self) -> None:
        """All are done when it returns."""
        self._thread.shutdown()

    def _do(self, thing: Hashable) -> None:
        write = self._waiting.pop(thing, _nothing)
        try:
            write()
        except Exception:
            _logger.exception("%s cannot be written", thing)


def _nothing() -> None:
    pass
