"""What a pod's containers tell: the engine's cores, who costs it its Guaranteed, whether any began."""

from __future__ import annotations

from tidegate.domain.loose import Json, mapping, mappings, text
from tidegate.domain.quantity import same_quantity

ENGINE = "engine"  # the container that is the worker's own
CACHE = "cache"  # the init container that fetches its model into the cache


def was_rejected(status: Json) -> bool:
    """A kubelet that refuses a pod at admission ends it with a reason and without a container."""
    statuses = [*mappings(status.get("initContainerStatuses")), *mappings(status.get("containerStatuses"))]
    begun = any(each.get("containerID") for each in statuses)
    return status.get("phase") == "Failed" and bool(status.get("reason")) and not begun


def cores_of(pod: Json) -> int | None:
    """The whole cores that the engine asked for; None where they are none."""
    for container in _containers(pod):
        if container.get("name") == ENGINE:
            amount = text(mapping(mapping(container.get("resources")).get("requests")).get("cpu"))
            return int(amount) if amount.isdecimal() else None
    return None


def devices_of(pod: Json) -> tuple[str, ...]:
    """The extended resources that a pod has, such as nvidia.com/gpu."""
    limits = (mapping(mapping(each.get("resources")).get("limits")) for each in _containers(pod))
    return tuple(sorted({str(name) for each in limits for name in each if "/" in str(name)}))


def strangers_in(pod: Json) -> tuple[str, ...]:
    """The containers beside the engine that cost the pod its Guaranteed: for that, every container has limits
    of cpu and memory, and requests as high."""
    others = (container for container in _containers(pod) if container.get("name") != ENGINE)
    return tuple(text(container.get("name")) for container in others if not _is_guaranteed(container))


def _containers(pod: Json) -> list[Json]:
    spec = mapping(pod.get("spec"))
    return [*mappings(spec.get("initContainers")), *mappings(spec.get("containers"))]


def _is_guaranteed(container: Json) -> bool:
    resources = mapping(container.get("resources"))
    limits, requests = mapping(resources.get("limits")), mapping(resources.get("requests"))
    return all(same_quantity(limits.get(name), requests.get(name)) for name in ("cpu", "memory"))
