"""What runs until it is told to stop, and in which order it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

Work = Coroutine[Any, Any, None]


async def finished(work: Work, stop: asyncio.Event) -> bool:
    """Whether the work was done before ``stop`` was set; what it raised is raised."""
    task, waiter = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return task.done()
    finally:
        task.cancel()
        waiter.cancel()
        await asyncio.gather(task, waiter, return_exceptions=True)


async def until(stop: asyncio.Event, leader: Work, parts: Sequence[Work]) -> None:
    """Run all of them until ``stop``; one that fails ends all.

    The leader ends before the others: it waits for the answers to writes that the others have under way.
    Cut off, such a write might still be carried out, and the Lease could only run out instead of being
    released: fifteen seconds without a leader.
    """
    async with asyncio.TaskGroup() as group:
        leading = group.create_task(leader)
        tasks = [group.create_task(part) for part in parts]
        await stop.wait()
        leading.cancel()
        await asyncio.wait([leading])
        for task in tasks:
            task.cancel()


def first(failure: BaseException) -> BaseException:
    """The failure that ended the others."""
    return first(failure.exceptions[0]) if isinstance(failure, BaseExceptionGroup) else failure
