"""kopf's raw events, fed to the cache and the queue. Nothing else of kopf is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from tidegate.controller.home import Tell, teller
from tidegate.controller.kopf_storage import NoDiffBase, NoProgress
from tidegate.controller.node_policies import NodePolicies
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind, ObjectCache, key_of
from tidegate.resources.names import GROUP, PLURAL, SERVICE_LABEL, VERSION

Json = dict[str, Any]

RESOURCES: dict[Kind, tuple[str, str, str]] = {
    Kind.INFERENCE_SERVICE: (GROUP, VERSION, PLURAL),
    Kind.DEPLOYMENT: ("apps", "v1", "deployments"),
    Kind.SERVICE: ("", "v1", "services"),
    Kind.POD: ("", "v1", "pods"),
    Kind.POD_DISRUPTION_BUDGET: ("policy", "v1", "poddisruptionbudgets"),
}


def register(
    registry: kopf.OperatorRegistry, cache: ObjectCache, enqueue: Callable[[ServiceKey], None]
) -> None:
    """Have every event of our kinds taken into the cache, and its service looked at where it was news."""
    tell = teller()
    for kind, resource in RESOURCES.items():
        _register(registry, kind, resource, _hand_over(tell, Feed(kind, cache, enqueue)))


class Feed:
    """What happens with the events of one kind."""

    def __init__(self, kind: Kind, cache: ObjectCache, enqueue: Callable[[ServiceKey], None]) -> None:
        self._kind = kind
        self._cache = cache
        self._enqueue = enqueue

    def take(self, event_type: str | None, raw: Json) -> None:
        """``event_type`` as in a watch; None for an object of kopf's own listing."""
        before = self._cache.get(self._kind, raw["metadata"]["namespace"], raw["metadata"]["name"])
        news = self._cache.remove if event_type == "DELETED" else self._cache.heard
        if news(self._kind, raw):
            for key in {key_of(self._kind, each) for each in (before, raw) if each} - {None}:
                if key is not None:
                    self._enqueue(key)


def register_nodes(registry: kopf.OperatorRegistry, nodes: NodePolicies, changed: Callable[[], None]) -> None:
    """Keep the nodes' CPU manager policies known; ``changed`` is told when one is another."""

    tell = teller()

    def take(event_type: str | None, node: Json) -> None:
        gone = event_type == "DELETED"
        if nodes.remove(node["metadata"]["name"]) if gone else nodes.put(node):
            changed()

    @kopf.on.event("", "v1", "nodes", registry=registry, id="policies")
    async def node_event(event: kopf.RawEvent, **_: object) -> None:
        tell(take, event["type"], dict(event["object"]))


def kopf_settings() -> kopf.OperatorSettings:
    """kopf as a mere source of events: no Events posted, nothing scanned, only what has our label."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.process.ultimate_exiting_timeout = None  # its end is not the process's
    settings.networking.request_timeout = 30.0
    settings.watching.server_timeout = 300
    settings.watching.inactivity_timeout = 90.0  # the API server sends a bookmark every minute
    settings.watching.chunk_size = 500
    settings.queueing.idle_timeout = 0.05  # a task and a queue for each object that changes, for so long
    for kind, resource in RESOURCES.items():
        if kind is not Kind.INFERENCE_SERVICE:
            settings.watching.label_selectors[resource] = SERVICE_LABEL
    return settings


Take = Callable[[str | None, Json], None]


def _hand_over(tell: Tell, feed: Feed) -> Take:
    return lambda event_type, raw: tell(feed.take, event_type, raw)


def _register(
    registry: kopf.OperatorRegistry, kind: Kind, resource: tuple[str, str, str], take: Take
) -> None:
    @kopf.on.event(*resource, registry=registry, id=f"feed-{kind.lower()}")
    async def handle(event: kopf.RawEvent, **_: object) -> None:
        take(event["type"], dict(event["object"]))
