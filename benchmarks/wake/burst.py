"""A burst at a service at zero that may have several workers: in how many steps they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from harness.report import Findings, Goal, Measure
from tidegate.kube import paths
from tidegate.kube.client import Json, WatchEvent
from tidegate.kube.reflector import Collection, Reflector
from tidegate.resources.names import SERVICE_LABEL
from wake.at_once import SMALL
from wake.field import Field, Wake

NAME = "burst"
REQUESTS, WORKERS = 200, 4
SPEC = {
    **SMALL,
    "engine": {"maxConcurrency": 16},
    "queue": {"maxDepth": 256},
    "scaling": {"maxReplicas": WORKERS},
}


async def burst(field: Field) -> Findings:
    """Two hundred requests, which take half a second each, 16 at once in a worker."""
    await field.create(NAME, SPEC, ENGINE_REQUEST_SECONDS="0.5")
    await field.asleep([NAME])
    async with _told(field) as replicas:
        found = await asyncio.gather(*(field.wake(NAME) for _ in range(REQUESTS)))
        told = list(replicas)
    await field.asleep([NAME])
    findings = Findings(_measures(found, told), [{"what": "burst", "replicas": told}])
    print(f"burst of {REQUESTS}: the Deployment was told {told} replicas", flush=True)
    return findings


def _measures(found: Sequence[Wake], told: Sequence[int]) -> list[Measure]:
    answered = float(sum(wake.status == 200 for wake in found))
    steps = float(len(told) - 2)  # without the zero, and the wake to one
    whole = Goal(REQUESTS)
    return [
        Measure(
            "burst_answered",
            f"burst of {REQUESTS}: answered",
            "requests",
            {"tidegate": answered},
            whole,
            "max",
        ),
        Measure("burst_workers", "its workers", "", {"tidegate": float(max(told))}, Goal(WORKERS), "max"),
        Measure("burst_steps", f"steps from 1 to {WORKERS} workers", "writes", {"tidegate": steps}, Goal(1)),
        Measure("burst_last", "its last first byte", "s", {"tidegate": max(wake.answer for wake in found)}),
    ]


class _Told:
    """A mirror of one Deployment: the numbers of replicas that it was told, one after the other."""

    def __init__(self) -> None:
        self.replicas: list[int] = []
        self.known = asyncio.Event()

    def listed(self, items: list[Json]) -> None:
        """See Mirror."""
        for item in items:
            self._take(item)
        self.known.set()

    def changed(self, event: WatchEvent) -> None:
        """See Mirror."""
        self._take(event.object)

    def _take(self, deployment: Json) -> None:
        told = int(deployment["spec"].get("replicas", 0))
        if self.replicas[-1:] != [told]:
            self.replicas.append(told)


@asynccontextmanager
async def _told(field: Field) -> AsyncIterator[Sequence[int]]:
    mirror = _Told()
    collection = Collection(paths.deployments(field.namespace), f"{SERVICE_LABEL}={NAME}")
    task = asyncio.create_task(Reflector(field.kube, collection, mirror).run())
    try:
        await mirror.known.wait()
        yield mirror.replicas
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
