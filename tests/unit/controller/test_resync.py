"""When the cluster is listed again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from tests.component.kube.wire import eventually
from tests.unit import virtual_time
from tidegate.controller.resync import Resync, ResyncSettings
from tidegate.controller.world import World
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import UnreachableError

Json = dict[str, Any]
Keys = list[ServiceKey]

SETTINGS = ResyncSettings(every=1000.0, jitter=lambda _, high: high, retry=0.01, quiet=0.01)


class Cluster:
    """Lists nothing, ``failures`` times not even that; a slow one not before ``goes_on``."""

    def __init__(self, failures: int = 0, *, nodes: list[Json] | None = None, slow: bool = False) -> None:
        self.failures = failures
        self.nodes = nodes or []
        self.listings = 0
        self.goes_on = asyncio.Event()
        if not slow:
            self.goes_on.set()

    async def list_all(self, path: str, **_: object) -> tuple[list[Json], str]:
        if path == "/api/v1/nodes":
            self.listings += 1
            if self.failures:
                self.failures -= 1
                raise UnreachableError("away")
            await self.goes_on.wait()
            return self.nodes, "9"
        return [], "9"


def pod(name: str) -> Json:
    labels = {"tidegate.io/inferenceservice": "qwen"}
    metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": "5", "labels": labels}
    return {"metadata": metadata}


@asynccontextmanager
async def running(cluster: Cluster, world: World, **settings: Any) -> AsyncIterator[tuple[Resync, Keys]]:
    news: Keys = []
    resync = Resync(cast(KubeClient, cluster), world, news.append, replace(SETTINGS, **settings))
    task = asyncio.create_task(resync.run())
    try:
        yield resync, news
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_went_while_no_watch_ran_is_noticed_when_a_listing_is_asked_for() -> None:
    world, cluster = World(128), Cluster()
    world.cache.put(Kind.POD, pod("gone"))
    async with running(cluster, world) as (resync, news):
        resync.soon()
        await eventually(lambda: news == [ServiceKey("team", "qwen")], "it is looked at")
    assert world.cache.get(Kind.POD, "team", "gone") is None
    assert cluster.listings == 1


async def test_a_node_policy_that_a_listing_tells_first_has_services_looked_at() -> None:
    world = World(128)
    metadata = {"namespace": "team", "name": "qwen", "uid": "u", "resourceVersion": "99"}
    world.cache.put(Kind.INFERENCE_SERVICE, {"metadata": metadata})
    node = {"metadata": {"name": "a", "labels": {"tidegate.io/cpu-manager-policy": "static"}}}
    async with running(Cluster(nodes=[node]), world) as (resync, news):
        resync.soon()
        await eventually(lambda: news == [ServiceKey("team", "qwen")], "it is looked at")


async def test_a_listing_that_fails_is_made_again_soon() -> None:
    world, cluster = World(128), Cluster(failures=2)
    world.cache.put(Kind.POD, pod("gone"))
    async with running(cluster, world) as (resync, news):
        resync.soon()
        await eventually(lambda: news == [ServiceKey("team", "qwen")], "it is looked at")
    assert cluster.listings == 3


async def test_nobody_lists_before_the_time_unless_asked() -> None:
    cluster = Cluster()
    async with running(cluster, World(128)):
        await asyncio.sleep(0.05)
    assert cluster.listings == 0


async def test_without_being_asked_it_lists_now_and_again() -> None:
    cluster = Cluster()
    async with running(cluster, World(128), every=0.01):
        await eventually(lambda: cluster.listings >= 3, "it lists again and again")


def test_many_who_ask_within_a_moment_get_one_listing() -> None:
    virtual_time.run(_many_ask())


async def _many_ask() -> None:
    cluster = Cluster()
    async with running(cluster, World(128), quiet=0.1) as (resync, _):
        for _asked in range(5):
            resync.soon()
            await asyncio.sleep(0.01)
        assert cluster.listings == 0
        await eventually(lambda: cluster.listings == 1, "it was listed")
        await asyncio.sleep(0.15)
    assert cluster.listings == 1


async def test_who_asks_without_end_does_not_put_the_listing_off_for_ever() -> None:
    cluster = Cluster()
    async with running(cluster, World(128), quiet=0.1, patience=0.2) as (resync, _):

        async def asks() -> bool:
            resync.soon()
            return cluster.listings > 0

        await eventually(asks, "it was listed all the same")


async def test_who_asks_while_a_listing_runs_gets_another_one() -> None:
    cluster = Cluster(slow=True)
    async with running(cluster, World(128)) as (resync, _):
        resync.soon()
        await eventually(lambda: cluster.listings == 1, "it lists")
        resync.soon()  # what has changed since the pods were read may not be in it
        cluster.goes_on.set()
        await eventually(lambda: cluster.listings == 2, "it lists once more")
