"""Hears the gateway of the same process, as an operator hears those of a cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from tidegate.control.hearing import Hearing

_logger = logging.getLogger("tidegate.local")

GATEWAY: Final = "gateway"  # the only one there is
_AGAIN: Final = 0.2  # seconds


async def listen(hearing: Hearing, demand: Callable[[], AsyncIterator[bytes]]) -> None:
    """Takes its lines until cancelled; ``demand`` begins to tell everything anew."""
    hearing.board.expect([GATEWAY])
    while True:
        hearing.board.connected(GATEWAY)
        lines = demand()
        try:
            async for batch in lines:
                for line in batch.decode().splitlines():
                    hearing.take(GATEWAY, line)
        except ValueError as error:
            _logger.warning("the gateway's demand cannot be read: %s", error)
        finally:
            hearing.lost(GATEWAY)
            if isinstance(lines, AsyncGenerator):
                await lines.aclose()  # nobody reads it any more: it must not collect what nobody takes
        await asyncio.sleep(_AGAIN)
