"""What the API server tells of the workers of one namespace, as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.e2e.cycles.plan import Phase
from tidegate.control.workers import worker_from_pod
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.reflector import Collection, Reflector
from tidegate.resources.names import SERVICE_LABEL


@dataclass
class Pool:
    """The workers of one service: how many are wanted, how often that number rose from zero and fell to it,
    the pods that exist, and the names of all that ever did."""

    replicas: int = 0
    wakes: int = 0
    sleeps: int = 0
    names: set[str] = field(default_factory=set)
    pods: dict[str, Json] = field(default_factory=dict)

    def told(self, replicas: int) -> None:
        """The Deployment says how many are wanted."""
        self.wakes += self.replicas == 0 < replicas
        self.sleeps += self.replicas > 0 == replicas
        self.replicas = replicas

    @property
    def phase(self) -> Phase:
        """As far as objects tell: RUNNING stands for a worker that is ready."""
        workers = [worker for pod in self.pods.values() if (worker := worker_from_pod(pod))]
        coming = [worker for worker in workers if not worker.terminating]
        if not self.replicas:
            return Phase.TERMINATING if workers else Phase.ASLEEP
        if any(worker.ready for worker in coming):
            return Phase.RUNNING
        return Phase.LOADING if any(worker.stage == "started" for worker in coming) else Phase.WAKING


class Scene:
    """The pools of a namespace by service, followed by two watches; ``until`` waits for what is seen."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self._changed = asyncio.Condition()
        self._news = asyncio.Event()

    def pool(self, service: str) -> Pool:
        """The workers of a service."""
        return self.pools.setdefault(service, Pool())

    async def until(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        """Returns as soon as ``holds``; AssertionError that names ``what`` after ``seconds``."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"not within {seconds:g} s: {what}") from None

    def nudge(self) -> None:
        """Something else may have changed: those that wait look again."""
        self._news.set()

    async def tell(self) -> None:
        """Wakes those that wait, whenever there is news; never returns."""
        while True:
            await self._news.wait()
            self._news.clear()
            async with self._changed:
                self._changed.notify_all()

    def put(self, kind: str, raw: Json) -> None:
        """An object is new or changed."""
        pool = self.pool(raw["metadata"]["labels"][SERVICE_LABEL])
        if kind == "Deployment":
            pool.told(int(raw["spec"].get("replicas") or 0))
        else:
            pool.pods[raw["metadata"]["uid"]] = raw
            pool.names.add(raw["metadata"]["name"])
        self._news.set()

    def remove(self, kind: str, raw: Json) -> None:
        """An object is gone."""
        if kind == "Pod":
            self.pool(raw["metadata"]["labels"][SERVICE_LABEL]).pods.pop(raw["metadata"]["uid"], None)
        self._news.set()


@dataclass(frozen=True)
class _Mirror:
    scene: Scene
    kind: str

    def listed(self, items: list[Json]) -> None:
        """See Mirror. A pod that is not listed any more has gone."""
        if self.kind == "Pod":
            for pool in self.scene.pools.values():
                pool.pods.clear()
        for item in items:
            self.scene.put(self.kind, item)

    def changed(self, event: WatchEvent) -> None:
        """See Mirror."""
        act = self.scene.remove if event.type == "DELETED" else self.scene.put
        act(self.kind, event.object)


@asynccontextmanager
async def watched(client: KubeClient, namespace: str) -> AsyncIterator[Scene]:
    """The scene of a namespace, kept up to date within the block."""
    scene = Scene()
    collections = {
        "Deployment": Collection(paths.deployments(namespace), SERVICE_LABEL),
        "Pod": Collection(paths.pods(namespace), SERVICE_LABEL),
    }
    tasks = [
        asyncio.create_task(Reflector(client, collection, _Mirror(scene, kind)).run())
        for kind, collection in collections.items()
    ]
    tasks.append(asyncio.create_task(scene.tell()))
    try:
        yield scene
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
