"""How often a status is written of which nothing but the queue's depth has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidegate.control.status import only_queue
from tidegate.domain.service import ServiceKey

QUEUE_INTERVAL = 5.0  # seconds between two writes of nothing but the queue's depth


class QueuePace:
    """Remembers when each service's depth was written last; times are Unix seconds."""

    def __init__(self) -> None:
        self._written: dict[ServiceKey, float] = {}

    def wait(self, key: ServiceKey, patch: Mapping[str, Any], now: float) -> float | None:
        """Seconds for which this patch is held back; None: it is written now."""
        rest = self._written.get(key, 0.0) + QUEUE_INTERVAL - now
        return rest if only_queue(patch) and rest > 0 else None

    def written(self, key: ServiceKey, patch: Mapping[str, Any], now: float) -> None:
        """This patch was written."""
        if "queue" in patch:
            self._written[key] = now

    def forget(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._written.pop(key, None)
