"""Waiting for effects: as long as a machine that stands still needs, and not longer than it takes."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

SECONDS = 120.0  # for one effect


async def until(
    holds: Callable[[], object | Awaitable[object]], what: str, seconds: float = SECONDS, pause: float = 0.02
) -> None:
    """Returns as soon as ``holds`` is true; AssertionError that names ``what`` after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            while not await _value(holds()):  # noqa: ASYNC110 - what others do has no event of ours
                await asyncio.sleep(pause)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


async def _value(found: object) -> object:
    return await found if inspect.isawaitable(found) else found
