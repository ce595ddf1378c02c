"""What is said of an InferenceService that is written: only what one object cannot tell, and only of what a
write changes. The validating webhook says it, and whoever reads manifests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tidegate.api.compute import Accelerator, Resources
from tidegate.api.config import effective_limit
from tidegate.api.engine import Engine
from tidegate.api.scaling import windows_of
from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.control.name_claims import Claims, Known
from tidegate.domain.fitting import Need, NodeSize, misfits
from tidegate.domain.loose import Json, mapping
from tidegate.domain.quantity import parse_bytes
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_count import usual_seconds
from tidegate.resources.cache import NO_NODE_PATH
from tidegate.resources.placement import PRODUCT_LABELS

GATEWAY_MARGIN = 10  # seconds of a gateway's grace period that are not --drain-seconds: the chart's 5 and 5


@dataclass(frozen=True)
class Verdict:
    """``refusal``: why the write is refused, None: it is not. ``warnings`` are shown to who wrote."""

    refusal: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grounds:
    """What a written object is judged by.

    ``gateway_drain_seconds``: what a gateway that is to end gives the requests that it serves; 0: unknown.
    ``node_cache``: whether nodes have a folder for caches. ``sizes``: of the nodes; none: not known.
    """

    known: Known
    default_max_depth: int
    gateway_drain_seconds: int = 0
    node_cache: bool = False
    sizes: Collection[NodeSize] = ()


def judge(grounds: Grounds, new: Json, old: Json | None) -> Verdict:
    """The verdict about a write of ``new`` over ``old`` (None: it is created).

    A write that leaves the spec as it was is never refused and warns of nothing. The schema has let the
    object pass before this is asked, so what cannot be read is what no rule in it can tell, such as a time
    zone that does not exist; a fault that was there before is let through.
    """
    if old is not None and old.get("spec") == new.get("spec"):
        return Verdict()
    try:
        service = _parsed(new)
    except ValueError as error:
        return Verdict() if old is not None and _fault(old) == str(error) else Verdict(str(error))
    claims = Claims.of(ServiceKey(service.metadata.namespace, service.metadata.name), new, old)
    if refusal := claims.refusal(grounds.known):
        return Verdict(refusal)
    if _asks_for_node_cache(new) and not _asks_for_node_cache(old) and not grounds.node_cache:
        return Verdict(NO_NODE_PATH)
    warnings = [*claims.warnings(grounds.known), *_queue_warnings(service, grounds.default_max_depth)]
    warnings += _start_warnings(service, new.get("status"))
    warnings += _drain_warnings(service, grounds.gateway_drain_seconds)
    if _resources(new) != _resources(old):
        warnings += _size_warnings(service.spec.resources, grounds.sizes)
    return Verdict(None, tuple(warnings))


def _parsed(resource: Json) -> InferenceService:
    """The typed form, but for the status: that is not what is judged. ValueError, also of a schedule that
    looks like one and is none."""
    service = parse({name: value for name, value in resource.items() if name != "status"})
    windows_of(service.spec.scaling.schedules)
    return service


def _fault(resource: Json) -> str | None:
    try:
        _parsed(resource)
    except ValueError as error:
        return str(error)
    return None


def _size_warnings(resources: Resources, sizes: Collection[NodeSize]) -> list[str]:
    sentences = misfits(_need(resources), sizes)
    return [f"spec.resources.{each}: workers wait until such a node is added" for each in sentences]


def _need(resources: Resources) -> Need:
    cores, memory = int(resources.cpu), parse_bytes(resources.memory)
    devices = resources.accelerator
    if devices is None:
        return Need(cores, memory)
    return Need(cores, memory, devices.resource, devices.count, _product_label(devices), devices.types)


def _product_label(devices: Accelerator) -> str:
    return PRODUCT_LABELS.get(devices.resource.partition("/")[0], "")


def _queue_warnings(service: InferenceService, default_max_depth: int) -> list[str]:
    """Of a concurrency that somebody asked for and that the queue never lets through."""
    asked, limit = (
        service.spec.engine.max_concurrency,
        effective_limit(service, default_max_depth).limit,
    )
    if asked <= limit or asked == Engine.model_fields["max_concurrency"].default:
        return []
    return [
        f"spec.queue.maxDepth: {limit} requests wait or run at most, so a worker never runs "
        f"spec.engine.maxConcurrency ({asked}) at once"
    ]


def _start_warnings(service: InferenceService, status: object) -> list[str]:
    """Of a wait that a start from zero usually outlasts."""
    seconds, wait = _usual_start(status), service.spec.scaling.cold_start_timeout_seconds
    if service.spec.scaling.min_replicas or seconds <= wait:
        return []
    return [
        f"spec.scaling.coldStartTimeoutSeconds: a start from zero takes some {seconds:.0f} s, so a request "
        f"that wakes the service gets 503 after {wait} s"
    ]


def _drain_warnings(service: InferenceService, drain: int) -> list[str]:
    """Of requests that may run for longer than a gateway waits that is to end; ``drain`` 0: unknown."""
    seconds = service.spec.queue.execution_timeout_seconds
    if not drain or seconds <= drain:
        return []
    return [
        f"spec.queue.executionTimeoutSeconds: a gateway that is replaced waits {drain} s for requests that "
        f"it serves, then it cuts them off; for {seconds} s set gateway.terminationGracePeriodSeconds to "
        f"{seconds + GATEWAY_MARGIN} in the chart's values"
    ]


def _asks_for_node_cache(resource: Json | None) -> bool:
    return bool(mapping(mapping(mapping(resource).get("spec")).get("cache")).get("node"))


def _usual_start(status: object) -> float:
    """Seconds; zero where none is known."""
    return usual_seconds(mapping(mapping(status).get("coldStarts"))) or 0.0


def _resources(resource: Json | None) -> object:
    return (resource or {}).get("spec", {}).get("resources")
