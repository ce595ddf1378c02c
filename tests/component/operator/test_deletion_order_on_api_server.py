"""Who of a surplus goes first: a running operator asks the workers, and marks pods on a real API server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from aiohttp import web

from tests.component.kube.objects import MANAGER
from tests.component.kube.wire import eventually
from tests.component.operator.harness import (
    Operator,
    World,
    api_proxy,
    gateway_pod,
    ready_status,
    running_operator,
)
from tests.unit.controller.streams import serving
from tidegate.devcluster import ApiServer
from tidegate.devcluster.ports import free_ports
from tidegate.domain.deletion_order import COST_ANNOTATION
from tidegate.kube import paths
from tidegate.kube.client import KubeClient

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class Workers:
    """Workers' counters, one at each address of this machine, on one port as in pods."""

    def __init__(self) -> None:
        self.running = dict.fromkeys(ADDRESSES, 0)
        self.silent: set[str] = set()
        self.asked = 0

    async def metrics(self, request: web.Request) -> web.Response:
        """GET /metrics."""
        self.asked += 1
        address = request.host.partition(":")[0]
        if address in self.silent:
            return web.Response(status=500)
        text = f"vllm:num_requests_running {self.running[address]}\nvllm:num_requests_waiting 0\n"
        return web.Response(text=text)


class Cast:
    """One operator, its workers, and what was written."""

    def __init__(self, operator: Operator, workers: Workers, world: World) -> None:
        self.operator, self.workers, self.world = operator, workers, world

    async def awake(self, name: str, *running: int) -> None:
        """A service whose count others set, with a ready worker for each number, that many in flight."""
        await self.world.create(name, scaling={"mode": "External", "maxReplicas": 8}, replicas=len(running))
        await eventually(lambda: self.replicas(name, len(running)), "the workers are wanted")
        for number, count in enumerate(running):
            self.workers.running[ADDRESSES[number]] = count
            status = ready_status(time.time() - 60 + number, ADDRESSES[number])
            await self.world.pod(name, f"{name}-{number}", status)
        await self.world.phase(name, "Running")
        await eventually(lambda: self.ready(name, len(running)), "all workers are ready")

    async def ready(self, name: str, count: int) -> bool:
        """Whether the status counts that many ready workers."""
        return bool((await self.world.get(name))["status"].get("readyReplicas") == count)

    async def replicas(self, name: str, count: int) -> bool:
        """Whether the Deployment is told to run that many; False while it is not there."""
        found, _ = await self.world.kube.list_all(paths.deployments(self.world.namespace))
        return [
            each["spec"]["replicas"] for each in found if each["metadata"]["name"] == f"{name}-worker"
        ] == [count]

    async def shrink(self, name: str, count: int) -> None:
        """Somebody wants fewer."""
        scale = paths.inference_service_scale(self.world.namespace, name)
        await self.world.kube.merge_patch(scale, {"spec": {"replicas": count}}, field_manager=MANAGER)
        await eventually(lambda: self.replicas(name, count), f"{count} are left")

    async def costs(self, name: str) -> dict[str, str]:
        """The marks on the service's pods, by the number in the pod's name."""
        pods, _ = await self.world.kube.list_all(paths.pods(self.world.namespace))
        marks = {pod["metadata"]["name"]: pod["metadata"]["annotations"].get(COST_ANNOTATION) for pod in pods}
        return {pod.rpartition("-")[2]: mark for pod, mark in marks.items() if mark and pod.startswith(name)}

    def written(self, name: str) -> list[str]:
        """What the operator wrote on the service's pods and on their number, in order."""
        tails = ("/status", "/scale")
        own = (f"/pods/{name}-", f"/deployments/{name}-worker/")
        paths_ = [write.path for write in self.operator.writes]
        return [
            "mark" if "/pods/" in path else "scale"
            for path in paths_
            if self.world.namespace in path and any(part in path for part in own) and path.endswith(tails)
        ]


@pytest_asyncio.fixture(loop_scope="module")
async def cast(
    server: ApiServer, kube: KubeClient, world: World, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cast]:
    workers = Workers()
    await gateway_pod(kube)
    async with AsyncExitStack() as stack:
        [port] = free_ports(1)
        for address in ADDRESSES:
            await stack.enter_async_context(serving({"/metrics": workers.metrics}, port, address))
        proxy = await stack.enter_async_context(api_proxy(server))
        folder = tmp_path_factory.mktemp("operator")
        operator = await stack.enter_async_context(running_operator(proxy, folder, worker_port=port))
        yield Cast(operator, workers, world)


async def test_the_least_busy_are_marked_right_before_the_decrease(cast: Cast) -> None:
    await cast.awake("tall", 9, 0, 4)
    assert await cast.costs("tall") == {}
    await cast.shrink("tall", 1)
    assert await cast.costs("tall") == {"1": "-1", "2": "-1"}
    assert cast.written("tall") == ["scale", "mark", "mark", "scale"]


async def test_where_all_are_as_busy_nothing_is_written_on_pods(cast: Cast) -> None:
    await cast.awake("even", 3, 3, 3)
    await cast.shrink("even", 1)
    assert await cast.costs("even") == {}
    assert cast.workers.asked >= 3


async def test_a_sleep_marks_nobody_and_asks_nobody_for_it(cast: Cast) -> None:
    await cast.awake("tired", 9, 0)
    asked = cast.workers.asked
    await cast.shrink("tired", 0)
    assert await cast.costs("tired") == {}
    assert cast.workers.asked == asked


async def test_workers_that_are_not_ready_go_first_anyway_so_nobody_is_marked_for_them(cast: Cast) -> None:
    await cast.awake("young", 9, 0)
    await cast.world.change("young", replicas=3)
    await eventually(lambda: cast.replicas("young", 3), "three are wanted")
    await cast.world.pod("young", "young-2", {"phase": "Pending"})
    await cast.shrink("young", 2)
    assert await cast.costs("young") == {}


async def test_a_worker_that_does_not_tell_its_counters_stays(cast: Cast) -> None:
    cast.workers.silent = {ADDRESSES[0]}
    await cast.awake("mute", 0, 5, 2)
    await cast.shrink("mute", 1)
    assert await cast.costs("mute") == {"1": "-1", "2": "-1"}
    cast.workers.silent = set()
