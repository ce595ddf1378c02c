"""Takes keys from a queue and makes one pass for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from tidegate.control.queue import KeyedQueue

K = TypeVar("K", bound=Hashable)


async def make_passes(
    queue: KeyedQueue[K], one: Callable[[K], Awaitable[float | None]], at_once: int
) -> None:
    """So many passes at once, never two for one key, until cancelled.

    ``one`` makes a pass and never raises: it returns the seconds until its key is due again, None: at the
    next event.
    """
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(_work(queue, one))


async def _work(queue: KeyedQueue[K], one: Callable[[K], Awaitable[float | None]]) -> None:
    while True:
        key = await queue.take()
        try:
            again = await one(key)
            if again is not None:
                queue.add_after(key, again)
        finally:
            queue.done(key)
