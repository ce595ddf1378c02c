"""How long a machine stood still while a test measured what is promised in seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

_PAUSE = 0.1  # seconds between two looks
_USUAL = 0.25  # seconds that a pause and a look take at most on a machine that gives what is asked for


class Stalls:
    """``seconds``: the time by which looks came late, added up."""

    def __init__(self) -> None:
        self.seconds = 0.0


@asynccontextmanager
async def stalls(look: Callable[[], Awaitable[object]]) -> AsyncIterator[Stalls]:
    """Measures within the block; ``look`` asks those whose time is measured, and may fail."""
    found = Stalls()
    task = asyncio.create_task(_measure(found, look))
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _measure(found: Stalls, look: Callable[[], Awaitable[object]]) -> None:
    while True:
        begun = time.monotonic()
        await asyncio.sleep(_PAUSE)
        await look()
        took = time.monotonic() - begun
        if took > _USUAL:
            found.seconds += took
