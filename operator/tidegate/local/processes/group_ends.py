"""The end of what was killed: it takes its time within a system call, and may be another user's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress

from tidegate.local.processes.groups import Group
from tidegate.local.processes.watched import Watched

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.005, 1.0
KILLED_SECONDS = 60.0  # memory of many GB and devices are given back on the way
REFUSED_SECONDS = 5.0  # for those that this user may not end: they may end with the others


async def end(group: Group) -> str:
    """Kills all of it; empty as soon as there is nothing, else which processes do not end, and why."""
    loop, pause = asyncio.get_running_loop(), FIRST_LOOK_SECONDS
    begun = loop.time()
    while left := await asyncio.to_thread(group.kill):
        if loop.time() > begun + (KILLED_SECONDS if any(left.values()) else REFUSED_SECONDS):
            return not_ended(left)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_LOOK_SECONDS)
    return ""


async def last_end(watched: Watched) -> str:
    """A first process of which /proc tells nothing, or nothing any more; empty as soon as it has ended."""
    watched.signal(signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(REFUSED_SECONDS):
            await watched.ended.wait()
    return "" if watched.ended.is_set() else not_ended({watched.process.pid: False})


def not_ended(left: Mapping[int, bool]) -> str:
    """``left``: the numbers of processes, and whether this user may end each."""
    killed = sorted(pid for pid, may in left.items() if may)
    refused = sorted(pid for pid, may in left.items() if not may)
    said = []
    if killed:
        said.append(f"{_named(killed)} of it did not end when killed: the kernel still works for it")
    if refused:
        said.append(
            f"{_named(refused)} of it cannot be ended by user {os.geteuid()}: end it as its own user, "
            "and run workers as the user of `tidegate up`"
        )
    return "; ".join(said)


def _named(numbers: list[int]) -> str:
    return f"process{'es' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
