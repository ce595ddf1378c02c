"""From the resource to what the gateway obeys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidegate.api.identity import (
    CALIBRATED_ANNOTATION,
    DEGRADATION_DEFAULT_ANNOTATION,
    QUEUE_DEFAULT_ANNOTATION,
)
from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.domain.degradation import Degradation, Step, are_defaulted, default_steps
from tidegate.domain.limits import DEFAULT_MAX_DEPTH, QueueLimit, calibrated_depth, queue_limit
from tidegate.domain.quantity import parse_bytes
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.domain.timestamps import from_timestamp


def service_key(resource: InferenceService) -> ServiceKey:
    """The identity of a resource."""
    return ServiceKey(resource.metadata.namespace, resource.metadata.name)


def effective_limit(resource: InferenceService, default_max_depth: int = DEFAULT_MAX_DEPTH) -> QueueLimit:
    """The queue's limit that holds, and its source; ``default_max_depth`` is the installation's."""
    annotations = resource.metadata.annotations
    note, calibrated = annotations.get(QUEUE_DEFAULT_ANNOTATION), annotations.get(CALIBRATED_ANNOTATION)
    depth = resource.spec.queue.max_depth
    return queue_limit(depth, note, default_max_depth, calibrated_depth(calibrated))


def served_names(resource: InferenceService) -> tuple[str, ...]:
    """The names by which requests ask for the model; the resource's own where none is given."""
    return resource.spec.model.served_names or (resource.metadata.name,)


def service_config(resource: InferenceService, default_max_depth: int = DEFAULT_MAX_DEPTH) -> ServiceConfig:
    """What the data path of a service obeys, every default filled in."""
    spec, limit = resource.spec, effective_limit(resource, default_max_depth).limit
    return ServiceConfig(
        key=service_key(resource),
        created=_unix_time(resource.metadata.creation_timestamp),
        served_names=served_names(resource),
        max_concurrency=spec.engine.max_concurrency,
        readiness_path=spec.engine.readiness_path,
        max_depth=limit,
        max_bytes=parse_bytes(spec.queue.max_bytes),
        wait_timeout_seconds=spec.queue.wait_timeout_seconds,
        cold_start_timeout_seconds=spec.scaling.cold_start_timeout_seconds,
        execution_timeout_seconds=spec.queue.execution_timeout_seconds,
        retry_after_seconds=spec.queue.retry_after_seconds,
        suspended=spec.suspend,
        wakes=spec.scaling.mode == "Managed",
        prefix_affinity=spec.routing.policy == "PrefixAffinity",
        retry_unstarted=spec.routing.retry_unstarted,
        degradation=_degradation(resource, limit),
        backoff_until=_backoff_until(resource),
    )


def _backoff_until(resource: InferenceService) -> float:
    scaling = resource.status.scaling if resource.status else None
    return (from_timestamp(scaling.backoff_until) or 0.0) if scaling else 0.0


def _degradation(resource: InferenceService, max_depth: int) -> Degradation | None:
    given = resource.spec.degradation
    if given is None:
        return None
    steps = None if given.steps is None else tuple(Step(each.above, each.max_tokens) for each in given.steps)
    note = resource.metadata.annotations.get(DEGRADATION_DEFAULT_ANNOTATION)
    if steps is None or are_defaulted(steps, note):
        steps = default_steps(max_depth, given.max_tokens)
    return Degradation(given.max_tokens, steps)


def parse_service_config(
    raw: Mapping[str, Any], default_max_depth: int = DEFAULT_MAX_DEPTH, *, strict: bool = False
) -> ServiceConfig:
    """The same from an object as it comes from the API server, or from a file (``strict``: unknown fields are
    refused, the API server would have refused them). ValueError names each wrong field."""
    return service_config(parse(raw, strict=strict), default_max_depth)


def _unix_time(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
