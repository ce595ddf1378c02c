"""What services cost, as a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Json = dict[str, Any]


class CostCollector(Collector):
    """tidegate_cost_per_hour, read from the statuses when it is asked for: a service that is gone, or has no
    price any more, has no series."""

    def __init__(self, services: Callable[[], Iterable[Json]]) -> None:
        """``services`` returns those that this replica speaks for, as the API server has them."""
        self._services = services

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """See Collector."""
        family = GaugeMetricFamily(
            "tidegate_cost_per_hour",
            "What the workers that exist cost an hour, by spec.pricing; for services that have a price.",
            labels=["namespace", "service", "currency"],
        )
        for raw in self._services():
            if cost := (raw.get("status") or {}).get("cost"):
                metadata = raw["metadata"]
                labels = [metadata["namespace"], metadata["name"], cost["currency"]]
                family.add_metric(labels, float(cost["perHour"]))
        yield family
