"""What policies are compared on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.service import ServiceConfig
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.keda import CronWindow
from tidegate.simulation.run import Case
from tidegate.simulation.trace import Trace
from tidegate.simulation.work_curve import earliest


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trace and a service; times in seconds. ``busy``: when a cron scaler is told to have workers.
    ``initial``: workers that are ready when the trace begins, whatever the policy; their starts are paid."""

    name: str
    trace: Trace
    engine: Engine
    bounds: Bounds
    config: ServiceConfig
    target: float  # that a request may wait and count as served well
    busy: tuple[tuple[float, float], ...] = ()
    initial: int = 0
    bounds_at: Callable[[float], Bounds] | None = None  # where schedules change them; None: they stay

    def spec(self, now: float) -> Bounds:
        """What the service's spec says at a time of the trace."""
        return self.bounds_at(now) if self.bounds_at else self.bounds

    @property
    def case(self) -> Case:
        """What is simulated."""
        arrivals = self.engine.arrivals(self.trace)
        return Case(arrivals, self.trace.duration, self.engine, self.config, self.target)

    @property
    def per_worker(self) -> int:
        """Requests for each worker, for every policy that has a target: the service's own, else ¾ of what a
        worker runs at once, which is tidegate's default."""
        metric = self.bounds.metric
        return metric.requests if isinstance(metric, PerReplica) else max(1, self.engine.slots * 3 // 4)

    @property
    def cron(self) -> tuple[CronWindow, ...]:
        """Each busy stretch with the workers that its average load needs."""
        curve = earliest(self.case.arrivals)
        loads = [(curve.at(end) - curve.at(begin)) / (end - begin) for begin, end in self.busy]
        workers = [max(1, math.ceil(load / self.per_worker)) for load in loads]
        return tuple(CronWindow(*stretch, count) for stretch, count in zip(self.busy, workers, strict=True))
