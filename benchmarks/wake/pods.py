"""The pods of one namespace as anybody sees them who watches: their addresses, and that they are gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.reflector import Collection, Reflector

BUDGET = 120.0  # seconds for whatever is waited for


class PodWatch:
    """A mirror of the namespace's pods, by uid."""

    def __init__(self) -> None:
        self._pods: dict[str, Json] = {}
        self._news = asyncio.Event()
        self.last_gone = time.perf_counter()  # when the last pod that is gone went

    def listed(self, items: list[Json]) -> None:
        """See Mirror."""
        self._pods = {item["metadata"]["uid"]: item for item in items}
        self._tell()

    def changed(self, event: WatchEvent) -> None:
        """See Mirror."""
        uid = event.object["metadata"]["uid"]
        if event.type == "DELETED":
            self._pods.pop(uid, None)
            self.last_gone = time.perf_counter()
        else:
            self._pods[uid] = event.object
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def address_of(self, label: str, name: str) -> str:
        """The address of the pod with this label that is not on its way out; empty before it has one."""
        for pod in self._pods.values():
            metadata = pod["metadata"]
            if metadata.get("labels", {}).get(label) == name and "deletionTimestamp" not in metadata:
                return str(pod.get("status", {}).get("podIP") or "")
        return ""

    async def address(self, label: str, name: str) -> str:
        """The same as soon as there is one. TimeoutError after BUDGET."""
        await self._until(lambda: bool(self.address_of(label, name)))
        return self.address_of(label, name)

    async def gone(self) -> None:
        """Returns when no pod is left. TimeoutError after BUDGET."""
        await self._until(lambda: not self._pods)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BUDGET):
            while not condition():
                await self._news.wait()


@asynccontextmanager
async def watched(kube: KubeClient, namespace: str) -> AsyncIterator[PodWatch]:
    """A watch for the time of the block."""
    pods = PodWatch()
    task = asyncio.create_task(Reflector(kube, Collection(paths.pods(namespace)), pods).run())
    try:
        yield pods
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
