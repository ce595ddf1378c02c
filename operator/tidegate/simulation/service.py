"""The simulated service where nobody gives one: the defaults of the resource."""

from __future__ import annotations

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import Pooled
from tidegate.domain.service import ServiceConfig, ServiceKey


def service(slots: int, max_depth: int = 256) -> ServiceConfig:
    """A service with the defaults of the resource, but for what is given."""
    return ServiceConfig(ServiceKey("simulated", "service"), 0.0, ("model",), slots, max_depth=max_depth)


def default_bounds(slots: int, maximum: int) -> Bounds:
    """What a spec says that gives maxReplicas and maxConcurrency only."""
    return Bounds(0, maximum, metric=Pooled(slots), longest_idle_timeout=720.0, slots=slots)
