"""Work that waits for a disk, done beside the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Aside(Protocol):
    """How such work is done."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """What it returns or raises. To cancel the wait does not end the work."""


async def aside(work: Callable[[], T], /) -> T:
    """In a thread of its own: an executor's are waited for when the process ends, and one that waits for a
    file server may wait for ever. RuntimeError where there can be no thread more."""
    outcome: Future[T] = Future()
    threading.Thread(target=_settle, args=(outcome, work), name="tidegate-aside", daemon=True).start()
    return await asyncio.wrap_future(outcome)


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        outcome.set_exception(error)
    else:
        outcome.set_result(result)
