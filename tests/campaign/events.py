"""The events of one watch, as faults let them through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from tests.campaign.faults import Schedule

_HELD = 0.1  # seconds that an event which is to come after the next one waits for it


class EventFaults:
    """Drops, doubles and swaps lines, and ends the watch."""

    def __init__(self, schedule: Schedule, path: str) -> None:
        self._schedule = schedule
        self._path = path
        self._held = b""

    async def through(self, content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
        """What the client gets to see, until the watch ends."""
        while True:
            line = await self._line(content)
            if line is None:  # no next one has come
                yield self._release()
                continue
            if not line:
                return
            what = "pass" if b'"BOOKMARK"' in line[:40] else self._schedule.of_event(self._path)
            if what == "end":
                return
            if what == "swap" and not self._held:
                self._held = line
                continue
            yield {"drop": b"", "double": line + line}.get(what, line) + self._release()

    async def _line(self, content: aiohttp.StreamReader) -> bytes | None:
        if not self._held:
            return await content.readline()
        try:
            async with asyncio.timeout(_HELD):
                return await content.readline()
        except TimeoutError:
            return None

    def _release(self) -> bytes:
        held, self._held = self._held, b""
        return held
