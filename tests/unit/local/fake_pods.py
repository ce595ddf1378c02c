"""Workers as pods, played in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.unit.local.services import KEY
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.domain.timestamps import to_micro_timestamp
from tidegate.local.worker.pod_document import BY_AFFINITY, CORES_BY_ANNOTATION
from tidegate.local.worker.template import WorkerTemplate
from tidegate.resources.labels import labels
from tidegate.resources.names import TEMPLATE_ANNOTATION


@dataclass
class FakePod:
    """One worker. ``state``: pending | starting | ready | waiting (between two tries) | failed."""

    name: str
    uid: str
    key: ServiceKey
    template: str
    cores: int
    created: float
    host: str
    state: str = "pending"
    since: float = 0.0
    started: float = 0.0
    restarts: int = 0
    gone_by: float | None = None
    ended: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = None


class FakePods:
    """See Pods: as many workers run at once as there are cores.

    ``drain``: seconds that an idle worker takes to end. ``busy``: requests that run in a worker, by its uid;
    one that ends waits for them, up to its grace.
    """

    def __init__(self, now: Callable[[], float], cores: int = 4) -> None:
        self.now = now
        self.cores = cores
        self.start_seconds = 5.0
        self.drain = 1.0
        self.failing = False  # every start ends in a crash
        self.busy: Callable[[str], int] = lambda _: 0
        self.changed: Callable[[ServiceKey], None] = lambda _: None
        self.on_create: Callable[[WorkerTemplate], None] = lambda _: None
        self.on_delete: Callable[[FakePod], None] = lambda _: None
        self.on_crash: Callable[[str], None] = lambda _: None
        self.known: set[str] = set()
        self.pods: dict[str, FakePod] = {}
        self.made = 0

    # -- see Pods

    def create(self, template: WorkerTemplate) -> str:
        self.on_create(template)
        self.made += 1
        name = f"{template.key.name}-{self.made:05d}"
        pod = FakePod(
            name,
            f"uid-{self.made}",
            template.key,
            template.hash,
            template.cores,
            self.now(),
            f"127.84.0.{self.made}",
        )
        self.pods[name] = pod
        self._place()
        return name

    def know(self, template: WorkerTemplate) -> None:
        self.known.add(template.hash)

    def delete(self, _namespace: str, name: str) -> None:
        pod = self.pods.get(name)
        if pod is None or pod.gone_by is not None:
            return
        self.on_delete(pod)
        pod.gone_by = self.now() + 330.0
        if pod.task is not None:
            pod.task.cancel()
        if pod.state in ("pending", "waiting", "failed"):
            self._gone(pod)
        else:
            pod.task = asyncio.create_task(self._draining(pod))
            self.changed(pod.key)

    def of(self, key: ServiceKey) -> Sequence[Json]:
        mine = sorted((pod for pod in self.pods.values() if pod.key == key), key=lambda pod: pod.created)
        return [self._document(pod) for pod in mine]

    def keys(self) -> Sequence[ServiceKey]:
        return sorted({pod.key for pod in self.pods.values()})

    def log(self, namespace: str, name: str) -> Path | None:
        return Path(f"/logs/{namespace}_{name}.log") if name in self.pods else None

    # -- what happens

    def alive(self, key: ServiceKey = KEY) -> list[FakePod]:
        """Those that are not on their way out."""
        return [pod for pod in self.pods.values() if pod.key == key and pod.gone_by is None]

    def crash(self, name: str) -> None:
        """A worker's process ends; the next one begins after a pause."""
        pod = self.pods[name]
        if pod.gone_by is not None or pod.state not in ("starting", "ready"):
            return
        if pod.task is not None:
            pod.task.cancel()
        self.on_crash(pod.uid)
        pod.task = asyncio.create_task(self._again(pod))

    def _place(self) -> None:
        """Cores for those that wait, the oldest first."""
        for pod in sorted(self.pods.values(), key=lambda each: each.created):
            used = sum(each.cores for each in self.pods.values() if each.state != "pending")
            if pod.state == "pending" and pod.gone_by is None and used + pod.cores <= self.cores:
                self._begin(pod)

    def _begin(self, pod: FakePod) -> None:
        self._turn(pod, "starting")
        pod.started = self.now()
        pod.task = asyncio.create_task(self._starting(pod))

    async def _starting(self, pod: FakePod) -> None:
        await asyncio.sleep(self.start_seconds)
        if self.failing:
            await self._again(pod)
        else:
            self._turn(pod, "ready")

    async def _again(self, pod: FakePod) -> None:
        message = "ModelNotFound: there is no such model" if self.failing else "it crashed"
        pod.ended = {
            "exitCode": 1,
            "reason": "Error",
            "message": message,
            "startedAt": to_micro_timestamp(pod.started),
            "finishedAt": to_micro_timestamp(self.now()),
        }
        self._turn(pod, "waiting")
        pause = min(300.0, 10.0 * 2**pod.restarts)
        pod.restarts += 1
        await asyncio.sleep(pause)
        self._begin(pod)

    async def _draining(self, pod: FakePod) -> None:
        await asyncio.sleep(self.drain)
        until = self.now() + 329.0
        while self.busy(pod.uid) and self.now() < until:  # noqa: ASYNC110  the clock is played
            await asyncio.sleep(1.0)
        self._gone(pod)

    def _gone(self, pod: FakePod) -> None:
        del self.pods[pod.name]
        self._place()
        self.changed(pod.key)

    def _turn(self, pod: FakePod, state: str) -> None:
        pod.state, pod.since = state, self.now()
        self.changed(pod.key)

    def _document(self, pod: FakePod) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": pod.name,
            "namespace": pod.key.namespace,
            "uid": pod.uid,
            "creationTimestamp": to_micro_timestamp(pod.created),
            "labels": labels(pod.key.name),
            "annotations": {TEMPLATE_ANNOTATION: pod.template, CORES_BY_ANNOTATION: BY_AFFINITY},
        }
        if pod.gone_by is not None:
            metadata["deletionTimestamp"] = to_micro_timestamp(pod.gone_by)
        placed = pod.state != "pending"
        container = {"name": "engine", "resources": {"requests": {"cpu": str(pod.cores), "memory": "1Gi"}}}
        return {
            "metadata": metadata,
            "spec": {"containers": [container], **({"nodeName": "here"} if placed else {})},
            "status": self._status(pod, placed=placed),
        }

    def _status(self, pod: FakePod, *, placed: bool) -> dict[str, Any]:
        if pod.state == "failed":
            return {"phase": "Failed", "message": "its process is gone", "conditions": []}
        room = "every core was given to a worker alone: let another service sleep"
        scheduled = {"type": "PodScheduled", "status": "True" if placed else "False"}
        scheduled |= {} if placed else {"reason": "Unschedulable", "message": room}
        ready = {"type": "Ready", "status": "True" if pod.state == "ready" else "False"}
        ready |= {} if pod.state == "ready" else {"reason": "ContainersNotReady"}
        times = {"lastTransitionTime": to_micro_timestamp(pod.since or pod.created)}
        status: dict[str, Any] = {
            "phase": "Running" if pod.started else "Pending",
            "qosClass": "Burstable",
            "conditions": [scheduled | times, ready | times],
        }
        if placed:
            status |= {"podIP": pod.host, "containerStatuses": [self._container(pod)]}
        return status

    def _container(self, pod: FakePod) -> dict[str, Any]:
        running = {"running": {"startedAt": to_micro_timestamp(pod.started)}}
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        return {
            "name": "engine",
            "containerID": f"process://{pod.uid}",
            "ready": pod.state == "ready",
            "started": pod.state == "ready",
            "restartCount": pod.restarts,
            "state": waiting if pod.state == "waiting" else running,
            "lastState": {"terminated": pod.ended} if pod.ended else {},
        }
