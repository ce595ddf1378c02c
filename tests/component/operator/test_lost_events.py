"""Watches that lose what happens, operators that come back, and what a steady state costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.component.kube.wire import eventually, restart
from tests.component.operator.harness import (
    Operator,
    World,
    api_proxy,
    gateway_pod,
    played_parts,
    running_operator,
    stop,
)
from tests.component.operator.proxy import Write
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import NotFoundError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def operator_of(
    server: ApiServer, kube: KubeClient, folder: Path, *, resync: float
) -> AsyncIterator[Operator]:
    async with (
        played_parts(kube) as (_, _, settings),
        api_proxy(server) as proxy,
        running_operator(proxy, folder, resync_seconds=resync, **settings) as operator,
    ):
        yield operator


async def test_a_worker_deployment_deleted_while_the_watch_is_broken_comes_back(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with operator_of(server, kube, tmp_path, resync=4) as operator:
        await world.idle("lost")
        first = await world.deployment("lost")
        operator.proxy.break_watches()
        await kube.delete(paths.deployment(world.namespace, "lost-worker"))
        operator.proxy.mend_watches()

        async def back() -> bool:
            try:
                return bool((await world.deployment("lost"))["metadata"]["uid"] != first["metadata"]["uid"])
            except NotFoundError:
                return False

        await eventually(back, "the Deployment is back")
        await eventually(lambda: _complete(world, "lost"), "it is whole again")
        assert await world.replicas("lost") == 0


async def test_what_changed_while_the_watch_was_broken_is_seen_when_it_is_mended(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with operator_of(server, kube, tmp_path, resync=600) as operator:
        await world.idle("changed")
        operator.proxy.break_watches()
        await world.change("changed", suspend=True)
        await world.create("made")
        operator.proxy.mend_watches()
        await world.phase("changed", "Suspended")
        await world.phase("made", "Idle")


async def test_a_steady_state_costs_no_write_and_neither_does_a_restart(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with operator_of(server, kube, tmp_path, resync=1) as operator:
        for number in range(10):
            await world.create(f"steady-{number}", queue={"maxDepth": 10} if number % 2 else {})
        for number in range(10):
            await world.phase(f"steady-{number}", "Idle")
        await world.scale("steady-0", 1)
        await world.phase("steady-0", "Starting")
        await operator.settled()
        before = len(written(operator, world))
        await asyncio.sleep(4)  # four full listings
        assert written(operator, world)[before:] == []
        assert sum(write.path.endswith("/deployments") for write in written(operator, world)) == 10
        await stop(operator)
        async with running_operator(operator.proxy, tmp_path, resync_seconds=1):
            await asyncio.sleep(4)
            assert written(operator, world)[before:] == []


def written(operator: Operator, world: World) -> list[Write]:
    """What the operator wrote in this namespace: others may hold what another test has left behind."""
    return [write for write in operator.writes if f"/namespaces/{world.namespace}/" in write.path]


async def test_an_operator_that_was_away_catches_up(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with operator_of(server, kube, tmp_path, resync=600) as operator:
        await world.idle("known")
        await stop(operator)
        await kube.delete(paths.deployment(world.namespace, "known-worker"))
        await kube.delete(paths.service(world.namespace, "known"))
        await world.create("new", scaling={"minReplicas": 1})
        async with running_operator(operator.proxy, tmp_path):
            await world.phase("new", "Starting")
            await eventually(lambda: _complete(world, "known"), "the Deployment is back")
            assert await world.replicas("known") == 0


async def test_it_outlives_a_restart_of_the_api_server(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with operator_of(server, kube, tmp_path, resync=600) as operator:
        await world.idle("before")
        restart(server)
        await world.get("before")  # the test's own connections are seen to be gone
        await world.change("before", suspend=True)
        await world.phase("before", "Suspended")
        assert operator.process.returncode is None


async def test_sigterm_ends_it_cleanly(server: ApiServer, kube: KubeClient, tmp_path: Path) -> None:
    async with operator_of(server, kube, tmp_path, resync=600) as operator:
        await operator.settled()
        await stop(operator)  # within what a pod is given
        assert operator.process.returncode == 0
        assert "Traceback" not in operator.log.read_text()
        assert "ERROR" not in operator.log.read_text()


async def test_a_gateway_that_is_not_heard_is_reported(
    server: ApiServer, kube: KubeClient, tmp_path: Path
) -> None:
    await gateway_pod(kube)
    nobody: dict[str, Any] = {"gateway_admin_port": 1}
    async with api_proxy(server) as proxy, running_operator(proxy, tmp_path, **nobody) as operator:

        async def silent() -> bool:
            return "tidegate_gateways_silent 1.0" in await operator.metrics()

        await eventually(silent, "the gateway is silent")


async def _complete(world: World, name: str) -> bool:
    try:
        deployment = await world.deployment(name)
    except NotFoundError:
        return False
    return "tidegate.io/spec-hash" in deployment["metadata"].get("annotations", {})
