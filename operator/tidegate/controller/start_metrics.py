"""tidegate_last_cold_start_seconds: the parts of each service's last cold start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tidegate.domain.start_parts import Part

Json = dict[str, Any]


class StartCollector(Collector):
    """Read from the statuses when it is asked for: a service that is gone has no series, and a restart loses
    none. At most seven series a service."""

    def __init__(self, services: Callable[[], Iterable[Json]]) -> None:
        """``services`` returns those that this replica speaks for, as the API server has them."""
        self._services = services

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector."""
        family = GaugeMetricFamily(
            "tidegate_last_cold_start_seconds",
            "Each part of a service's last cold start; they add up to the whole.",
            labels=["namespace", "service", "part"],
        )
        for raw in self._services():
            parts = ((raw.get("status") or {}).get("coldStarts") or {}).get("parts") or {}
            labels = [raw["metadata"]["namespace"], raw["metadata"]["name"]]
            for part in Part:
                if part.key in parts:
                    family.add_metric([*labels, part.value], float(parts[part.key]))
        yield family
