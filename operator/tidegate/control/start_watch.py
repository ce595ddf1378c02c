"""Asks, once for each cold start, what no gateway can see: the node's pulls and the engine's own times.

The worker tells when it began to load at /start; how long images were pulled, each substrate knows by itself.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import msgspec

from tidegate.control.bounded import bounded
from tidegate.control.start_board import StartBoard, StartTarget
from tidegate.domain.loose import mapping
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_parts import Details, EngineTimes
from tidegate.resources.names import WORKER_ISOLATION_PORT

_logger = logging.getLogger(__name__)

_BUDGET = 2.0  # seconds for one worker's answer
_MOST_BYTES = 16384


Pulled = Callable[[StartTarget], Awaitable[float | None]]
"""Seconds that a worker's images were pulled, see Details; it may take its time."""


@dataclass(frozen=True, slots=True)
class StartSettings:
    """``changed``: what was asked about this service's last start is known."""

    changed: Callable[[ServiceKey], None]
    port: int = WORKER_ISOLATION_PORT
    at_once: int = 16


class StartWatch:
    """The leader runs it."""

    def __init__(
        self, board: StartBoard, pulled: Pulled, http: httpx.AsyncClient, settings: StartSettings
    ) -> None:
        self._board = board
        self._pulled = pulled
        self._http = http
        self._settings = settings
        self._gate = asyncio.Semaphore(settings.at_once)

    async def run(self) -> None:
        """Ask whenever there is somebody to ask about, until cancelled."""
        asked: set[StartTarget] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                self._board.news.clear()
                for target in set(self._board.wanted()) - asked:
                    asked.add(target)
                    group.create_task(self._learn(target, asked))
                await self._board.news.wait()

    async def _learn(self, target: StartTarget, asked: set[StartTarget]) -> None:
        details = Details()
        try:
            async with self._gate:
                details = Details(await self._pulled(target), await self._engine(target.host))
        except Exception:
            _logger.exception("%s: asking about a start failed for a reason not foreseen", target.key)
        asked.discard(target)
        if self._board.take(target, details):
            self._settings.changed(target.key)

    async def _engine(self, host: str) -> EngineTimes | None:
        """See Details; None where the worker's image does not tell."""
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{self._settings.port}/start"
        try:
            async with asyncio.timeout(_BUDGET), self._http.stream("GET", url) as response:
                body = await bounded(response, _MOST_BYTES) if response.status_code == 200 else b""
            return engine_times(msgspec.json.decode(body)) if body else None
        except (httpx.HTTPError, TimeoutError, ValueError) as error:  # DecodeError is a ValueError
            _logger.debug("worker %s does not tell of its start: %s", host, error)
            return None


def engine_times(told: object) -> EngineTimes | None:
    """A worker's answer to /start; None where it is of another shape, or the start is not over."""
    loads, serves = (mapping(told).get(name) for name in ("loadsAfterSeconds", "servesAfterSeconds"))
    if not isinstance(loads, int | float) or not isinstance(serves, int | float):
        return None
    if not (math.isfinite(loads) and math.isfinite(serves) and 0 <= loads <= serves):
        return None
    return EngineTimes(float(loads), float(serves))
