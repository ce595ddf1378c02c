"""The operator's own numbers, in a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class OperatorMetrics:
    """One set for each operator; two operators in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconcile_seconds = Histogram(
            "tidegate_reconcile_seconds",
            "Duration of one pass over one service, by its result.",
            ["result"],  # ok | conflict | invalid | error
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        self.scale_decisions = Counter(
            "tidegate_scale_decisions_total",
            "Changes of the number of workers, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.writes = Counter(
            "tidegate_api_writes_total",
            "Writes to the API server, by kind and verb.",
            ["kind", "verb"],
            registry=self.registry,
        )
        self.events_dropped = Counter(
            "tidegate_events_dropped_total",
            "Events that were not written: too many of all services, of one, or refused by the API server.",
            ["why"],  # flood | noisy | error
            registry=self.registry,
        )
        self.services = Gauge(
            "tidegate_services", "InferenceServices that are known.", registry=self.registry
        )
        self.queue_length = Gauge(
            "tidegate_reconcile_queue_length", "Services that wait for a pass.", registry=self.registry
        )
        self.leader = Gauge(
            "tidegate_leader", "1 while this replica is the one that acts.", registry=self.registry
        )
        self.gateways_silent = Gauge(
            "tidegate_gateways_silent",
            "1 while a serving gateway is not heard: the workers' counters then decide about sleep.",
            registry=self.registry,
        )
