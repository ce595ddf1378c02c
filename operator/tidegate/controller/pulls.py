"""How long the node pulled images for a worker: a kubelet tells it in Events alone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from tidegate.control.start_board import StartTarget
from tidegate.domain.loose import text
from tidegate.domain.start_parts import pulled_seconds
from tidegate.kube import paths
from tidegate.kube.errors import KubeError

_logger = logging.getLogger(__name__)


class Lists(Protocol):
    """The API server; kube.client.KubeClient is one."""

    async def list_all(
        self, path: str, *, field_selector: str | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        """All items of a collection."""
        ...


@dataclass(frozen=True, slots=True)
class Pulls:
    """``tries``: looks for the Event of the pull, which the kubelet writes beside its work, ``pause`` seconds
    apart."""

    client: Lists
    tries: int = 3
    pause: float = 0.3

    async def pulled(self, target: StartTarget) -> float | None:
        """See Details; None also where Events may not be read."""
        for tried in range(self.tries):
            if tried:
                await asyncio.sleep(self.pause)
            try:
                found, _ = await self.client.list_all(
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
