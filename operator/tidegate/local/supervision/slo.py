"""What the gateway of the same process has counted for services with targets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tidegate.control.slo_board import SloBoard
from tidegate.domain.service import ServiceKey
from tidegate.domain.slo_reading import read_slo
from tidegate.local.supervision.listening import GATEWAY

_logger = logging.getLogger("tidegate.local")


@dataclass(frozen=True)
class SloReader:
    """``services``: those with targets. ``counts``: the gateway's answer about one. ``changed``: look at a
    service again. ``now``: Unix time. ``every``: seconds between two rounds."""

    board: SloBoard
    services: Callable[[], Iterable[ServiceKey]]
    counts: Callable[[ServiceKey], object]
    changed: Callable[[ServiceKey], None]
    now: Callable[[], float]
    every: float = 30.0

    async def run(self) -> None:
        """Round after round, until cancelled."""
        while True:
            self.round()
            await asyncio.sleep(self.every)

    def round(self) -> None:
        """Asks for each service once, and has it looked at."""
        keys, now = list(self.services()), self.now()
        self.board.watch(keys, now)
        self.board.gateways({GATEWAY})
        for key in keys:
            try:
                self.board.told(key, GATEWAY, read_slo(self.counts(key)), now)
            except ValueError as error:
                _logger.debug("the gateway does not tell what %s has counted: %s", key, error)
            self.changed(key)
