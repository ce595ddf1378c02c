"""When the cluster is listed again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from tests.component.kube.wire import eventually
from tidegate.controller.handlers import Feed
from tidegate.controller.resync import Resync, ResyncSettings
from tidegate.controller.world import World
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import UnreachableError

Json = dict[str, Any]

SETTINGS = ResyncSettings(every=1000.0, jitter=lambda _, high: high, retry=0.01, quiet=0.01)


class Cluster:
    """Lists nothing, ``failures`` times not even that."""

    def __init__(self, failures: int = 0, nodes: list[Json] | None = None) -> None:
        self.failures = failures
        self.nodes = nodes or []
        self.listings = 0

    async def list_all(self, path: str, **_: object) -> tuple[list[Json], str]:
        if path == "/api/v1/nodes":
            self.listings += 1
            if self.failures:
                self.failures -= 1
                raise UnreachableError("away")
            return self.nodes, "9"
        return [], "9"


def pod(name: str) -> Json:
    labels = {"tidegate.io/inferenceservice": "qwen"}
    metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": "5", "labels": labels}
    return {"metadata": metadata}


async def listed(cluster: Cluster, world: World, times: int) -> list[ServiceKey]:
    """What had to be looked at once so many listings were made."""
    news: list[ServiceKey] = []
    resync = Resync(cast(KubeClient, cluster), world, news.append, SETTINGS)
    task = asyncio.create_task(resync.run())
    await eventually(lambda: cluster.listings >= times, "it was listed so often")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return news


async def test_a_node_policy_that_a_listing_tells_first_has_services_looked_at() -> None:
    world = World(128)
    metadata = {"namespace": "team", "name": "qwen", "uid": "u", "resourceVersion": "99"}
    world.cache.put(Kind.INFERENCE_SERVICE, {"metadata": metadata})
    node = {"metadata": {"name": "a", "labels": {"tidegate.io/cpu-manager-policy": "static"}}}
    assert await listed(Cluster(nodes=[node]), world, 1) == [ServiceKey("team", "qwen")]


async def test_what_went_before_the_watches_began_is_noticed_at_once() -> None:
    world = World(128)
    world.cache.put(Kind.POD, pod("gone"))
    assert await listed(Cluster(), world, 1) == [ServiceKey("team", "qwen")]
    assert world.cache.get(Kind.POD, "team", "gone") is None


async def test_a_listing_that_fails_is_made_again_soon() -> None:
    world = World(128)
    world.cache.put(Kind.POD, pod("gone"))
    assert await listed(Cluster(failures=2), world, 3) == [ServiceKey("team", "qwen")]


async def test_each_object_of_a_watchs_own_listing_asks_for_one() -> None:
    asked: list[str] = []
    feed = Feed(Kind.POD, World(128).cache, lambda _: None, lambda: asked.append("listed"))
    feed.take(None, pod("one"))
    feed.take("ADDED", pod("two"))
    assert asked == ["listed"]
