"""Small cases for tests of the simulator."""

from __future__ import annotations

from collections.abc import Iterable

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.simulation.engine import Engine
from tidegate.simulation.figures import Figures
from tidegate.simulation.policies.fixed import AlwaysOn
from tidegate.simulation.policies.hpa import Hpa
from tidegate.simulation.policies.keda import keda_queue
from tidegate.simulation.policies.knative import Knative
from tidegate.simulation.policies.tidegate import Tidegate
from tidegate.simulation.run import Case, simulate
from tidegate.simulation.scene import Autoscaler
from tidegate.simulation.seeds import seeded
from tidegate.simulation.trace import Trace


def config(
    slots: int = 1, max_depth: int = 100_000, wait: float = 86_400, cold: float = 86_400
) -> ServiceConfig:
    """A queue that refuses nobody, unless a test wants it."""
    return ServiceConfig(
        ServiceKey("a", "b"),
        0.0,
        ("m",),
        slots,
        max_depth=max_depth,
        wait_timeout_seconds=wait,
        cold_start_timeout_seconds=cold,
        execution_timeout_seconds=86_400,
    )


def case(
    trace: Trace | Iterable[tuple[float, float]],
    engine: Engine,
    *,
    duration: float = 0.0,
    queue: ServiceConfig | None = None,
    target: float = 2.0,
) -> Case:
    """A case of a trace, or of pairs of arrival and seconds."""
    arrivals = engine.arrivals(trace) if isinstance(trace, Trace) else list(trace)
    until = trace.duration if isinstance(trace, Trace) else duration
    return Case(arrivals, until, engine, queue or config(engine.slots), target)


def run(what: Case, policy: Autoscaler, seed: int = 1) -> Figures:
    """Simulates it."""
    return simulate(what, policy, seeded(seed))


def tidegate(slots: int, maximum: int, per_replica: int | None = None) -> Tidegate:
    """The operator's decision with short delays."""
    metric = PerReplica(per_replica or max(1, slots * 3 // 4))
    bounds = Bounds(0, maximum, 60.0, metric, scale_down_delay=60.0, slots=slots)
    return Tidegate(lambda _: bounds)


def all_policies(slots: int, maximum: int) -> list[Autoscaler]:
    """Each of them, new."""
    target = max(1, slots * 3 // 4)
    return [
        tidegate(slots, maximum),
        Hpa(target, maximum),
        keda_queue(target, maximum),
        Knative(slots, maximum),
        AlwaysOn(maximum),
    ]
