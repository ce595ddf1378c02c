"""From the spec to what it asks of the number of workers."""

from __future__ import annotations

from tidegate.api.scaling import longest_idle_timeout, windows_of
from tidegate.api.spec import InferenceServiceSpec
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import Metric, PerReplica, Pooled, QueueDelay
from tidegate.domain.schedule import minimum_at


def bounds_of(spec: InferenceServiceSpec, now: float) -> Bounds:
    """What the spec says about the number of workers at ``now``, Unix time. ValueError: a schedule cannot be
    read."""
    scaling, delay = spec.scaling, spec.scaling.scale_down_delay_seconds
    return Bounds(
        minimum=scaling.min_replicas,
        maximum=scaling.max_replicas,
        idle_timeout=scaling.idle_timeout_seconds,
        metric=metric_of(spec),
        suspended=spec.suspend,
        external=spec.replicas if scaling.mode == "External" else None,
        scale_down_delay=scaling.idle_timeout_seconds if delay is None else delay,
        scheduled=minimum_at(windows_of(scaling.schedules), now),
        longest_idle_timeout=longest_idle_timeout(scaling),
        slots=spec.engine.max_concurrency,
    )


def metric_of(spec: InferenceServiceSpec) -> Metric:
    """What is counted; concurrency with a spare that the pool shares where the spec does not say."""
    metric, slots = spec.scaling.metric, spec.engine.max_concurrency
    if metric and metric.queue_delay:
        return QueueDelay(metric.queue_delay.target_milliseconds / 1000, slots)
    if metric and metric.request_count:
        return PerReplica(metric.request_count.per_replica)
    if metric and metric.concurrency:
        return PerReplica(metric.concurrency.target_per_replica)
    return Pooled(slots)
