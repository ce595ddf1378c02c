"""What the control socket tells of the services of one `tidegate up`, looked at again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tests.component.local.manifests import Json
from tests.component.local.up import Up
from tests.e2e.cycles.scene import Pool, Scene

PAUSE = 0.02  # seconds between two looks


@asynccontextmanager
async def watched(up: Up, names: Iterable[str]) -> AsyncIterator[Scene]:
    """The scene of an `up`, kept up to date within the block; a pool's ``names`` are the uids of its pods, as
    the engines tell them."""
    scene, wanted = Scene(), frozenset(names)
    tasks = [asyncio.create_task(_look(up, wanted, scene)), asyncio.create_task(scene.tell())]
    try:
        yield scene
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _look(up: Up, names: frozenset[str], scene: Scene) -> None:
    while True:
        answer = await up.socket.get("/services")
        for shown in answer.json()["items"]:
            name = shown["service"]["metadata"]["name"]
            if name in names:
                _tell(scene.pool(name), shown)
        scene.nudge()
        await asyncio.sleep(PAUSE)


def _tell(pool: Pool, shown: Json) -> None:
    """A sleep that was over between two looks has left a new worker: one more than wakes were seen."""
    pool.pods = {pod["metadata"]["uid"]: pod for pod in shown["pods"]}
    pool.names |= pool.pods.keys()
    if len(pool.names) > pool.wakes and pool.replicas:
        pool.told(0)
    pool.told(int(shown["deployment"]["spec"]["replicas"]))
