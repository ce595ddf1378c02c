"""What a written InferenceService is judged by, from what the operator knows of its cluster."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.control.validation import Grounds
from tidegate.controller.world import World
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind, ObjectCache


def grounds_of(world: World) -> Grounds:
    """The grounds at this moment; nobody is asked."""
    return Grounds(
        known=_Cached(world.cache),
        default_max_depth=world.default_max_depth,
        gateway_drain_seconds=world.gateway_drain_seconds,
        node_cache=bool(world.node_cache),
        sizes=world.nodes.sizes.sizes(),
    )


@dataclass(frozen=True, slots=True)
class _Cached:
    """See Known."""

    cache: ObjectCache

    def holders(self, name: str) -> list[ServiceKey]:
        return self.cache.names.holders(name)

    def is_alive(self, key: ServiceKey) -> bool:
        raw = self.cache.get(Kind.INFERENCE_SERVICE, key.namespace, key.name)
        return raw is not None and "deletionTimestamp" not in raw["metadata"]
