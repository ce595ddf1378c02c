"""Keeps one standing connection to every gateway's demand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from tidegate.control.demand import DemandBoard
from tidegate.control.hearing import Hearing
from tidegate.domain.service import ServiceKey
from tidegate.resources.names import GATEWAY_ADMIN_PORT

_logger = logging.getLogger(__name__)

_SILENCE = 15.0  # seconds; a gateway says something every 5


@dataclass(frozen=True)
class SubscriptionSettings:
    """``changed`` is told which service has new numbers, None: possibly all. Times in seconds."""

    changed: Callable[[ServiceKey | None], None]
    now: Callable[[], float]  # Unix time
    jitter: Callable[[float, float], float]
    port: int = GATEWAY_ADMIN_PORT
    retry: float = 0.2
    retry_limit: float = 5.0


class Subscriptions:
    """Follows the gateways that ``follow`` names; all of it ends with the ``running`` block."""

    def __init__(self, board: DemandBoard, client: httpx.AsyncClient, settings: SubscriptionSettings) -> None:
        self._board = board
        self._client = client
        self._settings = settings
        self._hearing = Hearing(board, settings.changed, settings.now)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connections live within this block."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                yield
            finally:
                self._group = None
                for task in self._tasks.values():
                    task.cancel()
                self._tasks.clear()

    def follow(self, known: Iterable[str], serving: Iterable[str]) -> None:
        """Gateways by address: all that exist, and those of them that take requests."""
        addresses = set(known)
        for address in self._tasks.keys() - addresses:
            self._tasks.pop(address).cancel()
        if self._group is not None:
            for address in addresses - self._tasks.keys():
                self._tasks[address] = self._group.create_task(self._keep(address))
        self._board.expect(serving)
        self._settings.changed(None)

    async def _keep(self, address: str) -> None:
        delay = self._settings.retry
        while True:
            try:
                await self._listen(address)
            except (httpx.HTTPError, ValueError) as error:
                _logger.debug("gateway %s is not heard: %s", address, error)
            finally:
                if self._board.heard(address):  # however the connection ended, it was a good one
                    delay = self._settings.retry
                self._hearing.lost(address)
            await asyncio.sleep(delay * self._settings.jitter(0.5, 1.0))
            delay = min(delay * 2, self._settings.retry_limit)

    async def _listen(self, address: str) -> None:
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self._settings.port}/demand"
        timeout = httpx.Timeout(_SILENCE, connect=3.0)
        async with self._client.stream("GET", url, timeout=timeout) as response:
            response.raise_for_status()
            self._board.connected(address)
            async for line in response.aiter_lines():
                self._hearing.take(address, line)
