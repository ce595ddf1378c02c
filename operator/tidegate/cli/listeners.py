"""Whoever wants to hear what is said from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar
from weakref import WeakSet

_Item = TypeVar("_Item")


class Listeners(Generic[_Item]):
    """``most``: items that wait for a slow listener; one more is not told to it. 0: no limit."""

    def __init__(self, most: int = 0) -> None:
        self._most = most
        # One that left before it listened leaves nothing: a generator that never began runs no ``finally``.
        self._queues: WeakSet[asyncio.Queue[_Item | None]] = WeakSet()
        self._closed = False

    def tell(self, item: _Item) -> None:
        """To all that listen now."""
        for each in self._queues:
            if not each.full():
                each.put_nowait(item)

    def close(self) -> None:
        """Nothing more will be told; what was told before is heard first, as far as there is room."""
        self._closed = True
        for each in self._queues:
            if each.full():
                each.get_nowait()
            each.put_nowait(None)

    def heard(self) -> AsyncIterator[_Item]:
        """What is told from this call on, until ``close``."""
        mine: asyncio.Queue[_Item | None] = asyncio.Queue(self._most)
        if self._closed:
            mine.put_nowait(None)
        self._queues.add(mine)
        return self._of(mine)

    async def _of(self, mine: asyncio.Queue[_Item | None]) -> AsyncIterator[_Item]:
        try:
            while (item := await mine.get()) is not None:
                yield item
        finally:
            self._queues.discard(mine)
