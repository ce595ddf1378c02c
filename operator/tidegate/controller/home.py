"""From kopf's thread to the operator's event loop, where everything else lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

Tell = Callable[..., None]  # (what to call, its arguments)


def teller() -> Tell:
    """A function that has the loop which runs now call something soon, in order, from any thread. After the
    loop's end nothing is called."""
    loop = asyncio.get_running_loop()

    def tell(do: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the operator ends
            loop.call_soon_threadsafe(do, *arguments)

    return tell


def at_home(handler: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
    """The same handler, run on the loop which runs now, and awaited from the loop that calls it."""
    loop = asyncio.get_running_loop()

    async def relay(**arguments: object) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(handler(**arguments), loop))

    return relay
