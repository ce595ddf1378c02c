"""What policies are compared on."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.simulation.engine import Engine
from tidegate.simulation.policies.keda import CronWindow
from tidegate.simulation.run import Case
from tidegate.simulation.trace import Trace
from tidegate.simulation.work_curve import earliest


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trace and a service; times in seconds. ``busy``: when a cron scaler is told to have workers."""

    name: str
    trace: Trace
    engine: Engine
    bounds: Bounds
    config: ServiceConfig
    target: float  # that a request may wait and count as served well
    busy: tuple[tuple[float, float], ...]

    @property
    def case(self) -> Case:
        """What is simulated."""
        arrivals = self.engine.arrivals(self.trace)
        return Case(arrivals, self.trace.duration, self.engine, self.config, self.target)

    @property
    def per_worker(self) -> int:
        """Requests for each worker: ¾ of what it runs at once, tidegate's default and a usual target."""
        return max(1, self.engine.slots * 3 // 4)

    @property
    def cron(self) -> tuple[CronWindow, ...]:
        """Each busy stretch with the workers that its average load needs."""
        curve = earliest(self.case.arrivals)
        return tuple(
            CronWindow(
                begin,
                end,
                max(1, round((curve.at(end) - curve.at(begin)) / (end - begin) / self.per_worker + 0.499)),
            )
            for begin, end in self.busy
        )


def service(slots: int, max_depth: int = 256) -> ServiceConfig:
    """A service with the defaults of the resource, but for what is given."""
    return ServiceConfig(ServiceKey("simulated", "service"), 0.0, ("model",), slots, max_depth=max_depth)


def default_bounds(slots: int, maximum: int) -> Bounds:
    """What a spec says that gives maxReplicas and maxConcurrency only."""
    return Bounds(0, maximum, metric=PerReplica(max(1, slots * 3 // 4)))
