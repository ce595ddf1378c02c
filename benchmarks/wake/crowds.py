"""What a wake costs the API server, however many wait, and how a service grows for a burst."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from harness.report import Findings, Goal, Measure
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.reflector import Collection, Reflector
from tidegate.resources.names import SERVICE_LABEL, worker_deployment
from wake.at_once import SMALL, require_answered
from wake.field import Field

CROWDS = (1, 100, 1000)
CROWD, BURST = "crowd", "burst"
BURST_REQUESTS, BURST_WORKERS, BURST_CONCURRENCY, BURST_DEPTH = 200, 4, 16, 256
GATEWAY_ACCOUNT = "system:serviceaccount:tidegate-system:tidegate-gateway"


async def patches(field: Field, audit_log: Path) -> Findings:
    """How often the gateway writes the scale for one wake."""
    await field.create(CROWD, {**SMALL, "queue": {"maxDepth": max(CROWDS)}})
    findings = Findings()
    for waiting in CROWDS:
        await field.asleep([CROWD])
        begun = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        found = await asyncio.gather(*(field.wake(CROWD) for _ in range(waiting)))
        require_answered(found)
        count = written_scales(audit_log, worker_deployment(CROWD), begun)
        text = f"{waiting:,} wait: writes of the scale by the gateway"
        findings.measures.append(Measure(f"patches_{waiting}", text, "writes", {"tidegate": count}, Goal(1)))
        print(f"{text}: {count}", flush=True)
    await field.asleep([CROWD])
    return findings


def written_scales(audit_log: Path, deployment: str, since: str) -> int:
    """The gateway's requests that change this Deployment's scale, answered however, since that moment."""
    lines = (line for line in audit_log.read_text().splitlines() if GATEWAY_ACCOUNT in line)
    entries: list[Json] = [json.loads(line) for line in lines]
    return sum(
        1
        for entry in entries
        if entry["verb"] in ("patch", "update")
        and entry["requestReceivedTimestamp"] >= since
        and (entry["objectRef"]["name"], entry["objectRef"].get("subresource")) == (deployment, "scale")
    )


async def burst(field: Field) -> Findings:
    """Two hundred requests at a service at zero: all workers are asked for in one step, all are answered."""
    await field.create(
        BURST,
        {
            **SMALL,
            "engine": {"maxConcurrency": BURST_CONCURRENCY},
            "queue": {"maxDepth": BURST_DEPTH},
            "scaling": {"maxReplicas": BURST_WORKERS},
        },
        ENGINE_REQUEST_SECONDS="0.5",
    )
    await field.asleep([BURST])
    async with _history(field.kube, field.namespace, BURST) as history:
        found = await asyncio.gather(*(field.wake(BURST) for _ in range(BURST_REQUESTS)))
        steps = list(history)
    answered = sum(wake.status == 200 for wake in found)
    print(f"burst of {BURST_REQUESTS}: {answered} answered, replicas {steps}", flush=True)
    await field.asleep([BURST])
    last = max(wake.answer for wake in found)
    raises = len(steps) - 2 if steps[-1] == BURST_WORKERS else 0  # without the zero, and the wake to one
    return Findings(
        [
            Measure(
                "burst_answered",
                f"burst of {BURST_REQUESTS}: answered",
                "requests",
                {"tidegate": answered},
                Goal(BURST_REQUESTS),
                "max",
            ),
            Measure(
                "burst_steps",
                f"steps from 1 to {BURST_WORKERS} workers",
                "writes",
                {"tidegate": raises},
                Goal(1),
            ),
            Measure("burst_last", "the last of the burst", "s", {"tidegate": last}),
        ],
        [{"what": "burst", "replicas": steps}],
    )


class _History:
    """A mirror of one Deployment: the numbers of replicas that it was told, one after the other."""

    def __init__(self) -> None:
        self.replicas: list[int] = []
        self.known = asyncio.Event()

    def listed(self, items: list[Json]) -> None:
        for item in items:
            self._take(item)
        self.known.set()

    def changed(self, event: WatchEvent) -> None:
        self._take(event.object)

    def _take(self, deployment: Json) -> None:
        told = int(deployment["spec"].get("replicas", 0))
        if self.replicas[-1:] != [told]:
            self.replicas.append(told)


@asynccontextmanager
async def _history(kube: KubeClient, namespace: str, service: str) -> AsyncIterator[Sequence[int]]:
    mirror = _History()
    collection = Collection(paths.deployments(namespace), f"{SERVICE_LABEL}={service}")
    task = asyncio.create_task(Reflector(kube, collection, mirror).run())
    try:
        await mirror.known.wait()
        yield mirror.replicas
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
