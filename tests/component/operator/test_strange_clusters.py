"""Clusters that drop a field, and namespaces that end: each with an operator of its own."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.harness import World, api_proxy, played_parts, running_operator
from tests.component.operator.proxy import Write
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import KubeClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_field_that_the_cluster_drops_is_no_hot_loop_and_is_named(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with played_parts(kube) as (_, _, settings), api_proxy(server) as proxy:
        proxy.rewrite = _without_deadline
        async with running_operator(proxy, tmp_path, **settings):
            await world.idle("dropped")
            await eventually(lambda: _contested(world, "dropped"), "it is told")
            message = (await world.condition("dropped", "Contested"))["message"]
            assert ".spec.progressDeadlineSeconds" in message
            assert "does not know the field" in message
            before, begun = len(proxy.writes), time.monotonic()
            await asyncio.sleep(4)
            assert len(proxy.writes) - before <= max(3, time.monotonic() - begun)


async def test_a_namespace_that_ends_is_left_in_peace(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with (
        played_parts(kube) as (_, _, settings),
        api_proxy(server) as proxy,
        running_operator(proxy, tmp_path, **settings) as operator,
    ):
        await world.idle("ending")
        await kube.delete(
            f"/api/v1/namespaces/{world.namespace}"
        )  # nobody ends it here: it stays Terminating
        await kube.delete(paths.deployment(world.namespace, "ending-worker"))
        await eventually(lambda: _refused_creates(operator.writes) > 0, "it would be made again")
        await operator.settled(3.0)
        assert _refused_creates(operator.writes) <= 3
        assert (await world.condition("ending"))["reason"] == "Idle"
        assert f"{world.namespace}/ending" not in _warnings(operator.log)


async def _contested(world: World, name: str) -> bool:
    conditions = (await world.get(name)).get("status", {}).get("conditions", [])
    return any(each["type"] == "Contested" for each in conditions)


def _refused_creates(writes: list[Write]) -> int:
    return sum((write.method, write.status) == ("POST", 403) for write in writes)


def _warnings(log: Path) -> str:
    return "\n".join(
        line for line in log.read_text().splitlines() if " WARNING " in line or " ERROR " in line
    )


def _without_deadline(body: bytes) -> bytes:
    """As an API server that does not know the field of a Deployment."""
    return re.sub(rb'"progressDeadlineSeconds":\d+,?', b"", body)
