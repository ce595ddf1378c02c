"""One supervisor at a time in a state folder."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

TRIES = (
    100  # a second: what a killed predecessor was just starting holds its lock until it has become a worker
)
PAUSE_SECONDS = 0.01


async def hold_lock(file: Path) -> int:
    """The open file that holds it. RuntimeError where another process has it.

    A process that was cut off between its birth and its own program has a copy of its supervisor's files,
    this lock among them. So whoever holds it finds every worker of its predecessor under its own mark.
    """
    opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(TRIES):
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return opened
    os.close(opened)
    raise RuntimeError(f"another tidegate looks after the workers in {file.parent}")
