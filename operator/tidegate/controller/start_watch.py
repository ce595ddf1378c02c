"""Asks, once for each cold start, what no gateway can see: the node's pulls and the engine's own times.

The kubelet tells how long it pulled in Events alone; the worker tells when it began to load at /start.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import msgspec

from tidegate.control.bounded import bounded
from tidegate.control.start_board import StartBoard, StartTarget
from tidegate.domain.loose import mapping, text
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_parts import Details, EngineTimes, pulled_seconds
from tidegate.kube import paths
from tidegate.kube.errors import KubeError
from tidegate.resources.names import WORKER_ISOLATION_PORT

_logger = logging.getLogger(__name__)

_BUDGET = 2.0  # seconds for one worker's answer
_MOST_BYTES = 16384


class Lists(Protocol):
    """The API server; kube.client.KubeClient is one."""

    async def list_all(
        self, path: str, *, field_selector: str | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """All items of a collection."""
        ...


@dataclass(frozen=True, slots=True)
class StartSettings:
    """``changed``: what was asked about this service's last start is known. ``tries``: looks for the Event
    of the pull, which the kubelet writes beside its work, ``pause`` seconds apart."""

    changed: Callable[[ServiceKey], None]
    port: int = WORKER_ISOLATION_PORT
    tries: int = 3
    pause: float = 0.3
    at_once: int = 16


class StartWatch:
    """The leader runs it."""

    def __init__(
        self, board: StartBoard, client: Lists, http: httpx.AsyncClient, settings: StartSettings
    ) -> None:
        self._board = board
        self._client = client
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

    async def _pulled(self, target: StartTarget) -> float | None:
        """See Details; None also where Events may not be read."""
        for tried in range(self._settings.tries):
            if tried:
                await asyncio.sleep(self._settings.pause)
            try:
                found, _ = await self._client.list_all(
                    paths.events(target.key.namespace), field_selector=f"regarding.uid={target.uid}"
                )
            except KubeError as error:
                _logger.debug("%s: the Events of a worker cannot be read: %s", target.key, error)
                return None
            seconds = pulled_seconds(
                text(each.get("note")) for each in found if each.get("reason") == "Pulled"
            )
            if seconds is not None:
                return seconds
        return None

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
