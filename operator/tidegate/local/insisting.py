"""What must be done for a worker however short the machine is of files, threads or memory."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable

_logger = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0  # until a step that failed is done again
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN})


def is_shortage(error: Exception) -> bool:
    """Whether this says nothing about the worker: this process got no file, no memory or no thread."""
    if isinstance(error, OSError):
        return error.errno in _SHORT
    # CPython's words where pthread_create fails, which has no class of its own.
    return isinstance(error, MemoryError) or "can't start new thread" in str(error)


def anything(_: Exception) -> bool:
    """Whatever it is."""
    return True


async def insist(name: str, step: Callable[[], Awaitable[None]], passes: Callable[[Exception], bool]) -> None:
    """Does the step until it succeeds; each new reason why it does not is told.

    What does not pass is raised.
    """
    told = ""
    while True:
        try:
            return await step()
        except Exception as error:
            if not passes(error):
                raise
            if told != (told := f"{type(error).__name__}: {error}"):
                _logger.error("%s: %s; it is tried again every %g s", name, told, AGAIN_SECONDS)
        await asyncio.sleep(AGAIN_SECONDS)
