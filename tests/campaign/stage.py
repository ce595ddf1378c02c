"""Where one case is played: a namespace, an operator behind its proxy, and everybody else's hands."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.campaign.endstate import end_state
from tests.campaign.players import Kubelet
from tests.campaign.processes import Operator, Zygote
from tests.campaign.proxy import CampaignProxy, campaign_proxy
from tests.component.kube.objects import MANAGER, set_pod_status
from tests.component.operator.harness import FakeWorker, World, ready_status
from tests.unit.controller.streams import FakeGateway, fake_gateway, serving
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.kube.lease import LeaseName

QUIET = 0.6  # seconds without a write that count as the end


@dataclass(frozen=True)
class Ground:
    """What all cases share."""

    server: ApiServer
    kube: KubeClient
    session: aiohttp.ClientSession
    zygote: Zygote
    folder: Path


@dataclass
class Lane:
    """What cases that follow one another share: a proxy, a gateway, a worker's counters, their namespace."""

    ground: Ground
    proxy: CampaignProxy
    gateway: FakeGateway
    worker: FakeWorker
    settings: Json
    kubeconfig: Path


@asynccontextmanager
async def lane_on(ground: Ground) -> AsyncIterator[Lane]:
    """A lane, for a block."""
    worker = FakeWorker()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(fake_gateway())
        worker_port = await stack.enter_async_context(serving({"/metrics": worker.metrics}))
        proxy = await stack.enter_async_context(campaign_proxy(ground.server, ground.session))
        system = f"system-{uuid.uuid4().hex[:8]}"
        await _gateway_pod(ground.kube, system)
        settings = {
            "namespace": system,
            "host": "127.0.0.1",
            "metrics_port": 0,
            "health_port": 0,
            "gateway_host": "gateway.example",
            "gateway_admin_port": gateway.port,
            "worker_port": worker_port,
        }
        yield Lane(ground, proxy, gateway, worker, settings, _kubeconfig(ground.folder, proxy.port))


@dataclass
class Stage:
    """One case."""

    lane: Lane
    world: World
    name: str = "qwen"
    resync: float = 600.0
    operator: Operator | None = None

    @property
    def proxy(self) -> CampaignProxy:
        """What the operator speaks through."""
        return self.lane.proxy

    def tell(self, **numbers: Any) -> None:
        """What the gateway reports of the service."""
        self.lane.gateway.tell(f"{self.world.namespace}/{self.name}", **numbers)

    async def start_operator(self) -> None:
        """A new operator; the one before must be dead."""
        settings = self.lane.settings | {"resync_seconds": self.resync}
        log = self.lane.ground.folder / f"{self.world.namespace}.log"
        self.operator = await self.lane.ground.zygote.start(self.lane.kubeconfig, log, settings)

    async def kill_operator(self) -> None:
        """SIGKILL, and the time of its Lease is over."""
        if self.operator:
            await self.operator.kill()
        with suppress(NotFoundError):
            lease = paths.lease(self.lane.settings["namespace"], LeaseName("").name)
            await self.lane.ground.kube.delete(lease)

    async def state(self) -> Json:
        """What is in the namespace now, normalised."""
        return await end_state(self.lane.ground.kube, self.world.namespace)

    async def until(self, holds: Callable[[Json], bool], what: str, seconds: float = 60.0) -> Json:
        """The state, once it is so and nothing has been written for a while."""
        deadline = time.monotonic() + seconds
        while True:
            state = await self.state()
            if holds(state) and await self._quiet():
                again = await self.state()
                if again == state:
                    return state
            if time.monotonic() > deadline:
                raise NotReachedError(f"not within {seconds:g} s: {what}", state)
            await asyncio.sleep(0.1)

    async def _quiet(self) -> bool:
        before = self.proxy.sent
        await asyncio.sleep(QUIET)
        return before == self.proxy.sent


class NotReachedError(Exception):
    """A state that was not reached; ``state`` is the last one that was seen."""

    def __init__(self, message: str, state: Json) -> None:
        super().__init__(message)
        self.state = state


@asynccontextmanager
async def stage_on(lane: Lane, *, resync: float = 600.0) -> AsyncIterator[Stage]:
    """A fresh namespace with an operator; all of it goes after the block."""
    kube, namespace = lane.ground.kube, f"c-{uuid.uuid4().hex[:8]}"
    await kube.create("/api/v1/namespaces", _namespace(namespace), field_manager=MANAGER)
    lane.proxy.begin(namespace)
    lane.worker.running = 0
    stage = Stage(lane, World(kube, namespace), resync=resync)
    kubelet = Kubelet(kube, lane.ground.session, lane.ground.server.url, namespace)
    playing = asyncio.create_task(kubelet.run())
    try:
        await stage.start_operator()
        yield stage
    finally:
        await stage.kill_operator()
        await _clean(kube, namespace)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def _clean(kube: KubeClient, namespace: str) -> None:
    for path in (paths.inference_services(namespace), paths.deployments(namespace)):
        items, _ = await kube.list_all(path)
        for each in items:
            try:
                await kube.delete(f"{path}/{each['metadata']['name']}")
            except KubeError:
                continue  # it has gone by itself


def _namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def _gateway_pod(kube: KubeClient, namespace: str) -> None:
    """A gateway at 127.0.0.1, Ready."""
    await kube.create("/api/v1/namespaces", _namespace(namespace), field_manager=MANAGER)
    labels = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": "gateway"}
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gateway", "labels": labels},
        "spec": {"containers": [{"name": "gateway", "image": "none"}]},
    }
    await kube.create(paths.pods(namespace), pod, field_manager=MANAGER)
    await set_pod_status(kube, namespace, "gateway", ready_status(0.0))


def _kubeconfig(folder: Path, port: int) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / f"{port}.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file
