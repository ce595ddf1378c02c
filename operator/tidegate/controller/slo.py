"""Asks every gateway, every half minute, what the services with targets have counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import httpx

from tidegate.control.slo_board import SloBoard
from tidegate.domain.loose import mapping
from tidegate.domain.service import ServiceKey
from tidegate.domain.slo_reading import read_slo
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.resources.names import GATEWAY_ADMIN_PORT

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SloSettings:
    """``services``: those with targets. ``gateways``: the addresses to ask. ``changed``: look at a service
    again. ``every`` in seconds, each time multiplied by ``jitter(0.8, 1.2)``; a round has as long for all
    of its questions, ``budget`` seconds each, ``at_once`` at a time."""

    services: Callable[[], Iterable[ServiceKey]]
    gateways: Callable[[], Iterable[str]]
    changed: Callable[[ServiceKey], None]
    now: Callable[[], float]  # Unix time
    jitter: Callable[[float, float], float]
    port: int = GATEWAY_ADMIN_PORT
    every: float = 30.0
    budget: float = 2.0
    at_once: int = 8


def services_with_targets(cache: ObjectCache) -> list[ServiceKey]:
    """The services whose spec has an slo."""
    keys = cache.service_keys()
    found = ((key, cache.get(Kind.INFERENCE_SERVICE, key.namespace, key.name)) for key in keys)
    return [key for key, raw in found if raw and mapping(raw.get("spec")).get("slo")]


class SloWatch:
    """Asks until cancelled."""

    def __init__(self, board: SloBoard, client: httpx.AsyncClient, settings: SloSettings) -> None:
        self._board = board
        self._client = client
        self._settings = settings

    async def run(self) -> None:
        """Round after round, for ever."""
        while True:
            await self.round()
            await asyncio.sleep(self._settings.every * self._settings.jitter(0.8, 1.2))

    async def round(self) -> None:
        """Ask every gateway for every service once, and have each service looked at."""
        settings = self._settings
        keys, addresses = list(settings.services()), list(settings.gateways())
        self._board.watch(keys, settings.now())
        self._board.gateways(set(addresses))
        gate = asyncio.Semaphore(settings.at_once)
        try:
            async with asyncio.timeout(settings.every):
                await asyncio.gather(*(self._ask(gate, key, each) for key in keys for each in addresses))
        except TimeoutError:
            _logger.warning("not every gateway has told its counts within %g s", settings.every)
        for key in keys:
            settings.changed(key)

    async def _ask(self, gate: asyncio.Semaphore, key: ServiceKey, address: str) -> None:
        host = f"[{address}]" if ":" in address else address
        url = f"http://{host}:{self._settings.port}/slo/{key}"
        async with gate:
            try:
                async with asyncio.timeout(self._settings.budget):
                    response = await self._client.get(url)
                response.raise_for_status()
                reading = read_slo(response.json())
            except (httpx.HTTPError, TimeoutError, ValueError, OverflowError) as error:
                _logger.debug("gateway %s does not tell what %s has counted: %s", address, key, error)
            else:
                self._board.told(key, address, reading, self._settings.now())
