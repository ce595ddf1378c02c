"""The condition CPUIsolated, from the answers of a worker that is played, on a real API server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, api_proxy, ready_status, running_operator
from tidegate.devcluster import ApiServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = {"containerCpus": "1", "nodeCpus": "0-3", "throttledPeriods": 0}


async def verdict(world: World, name: str) -> str:
    """Status and reason of the condition; empty where there is none."""
    conditions = (await world.get(name)).get("status", {}).get("conditions", [])
    return next(
        (f"{each['status']} {each['reason']}" for each in conditions if each["type"] == "CPUIsolated"), ""
    )


async def is_judged(world: World, name: str, wanted: str) -> None:
    """Returns when the condition says so."""

    async def reached() -> bool:
        return await verdict(world, name) == wanted

    await eventually(reached, f"{name}: {wanted}")


async def serve(world: World, name: str, node: str, **spec: Any) -> None:
    """A service with one ready worker on a node."""
    await world.idle(name, **spec)
    await world.scale(name, 1)
    await world.pod(name, f"{name}-1", ready_status(time.time()), node=node)


async def test_evidence_of_exclusive_cores_on_a_static_node_and_no_write_after_a_restart(
    server: ApiServer, stage: Stage, world: World, tmp_path: Path
) -> None:
    stage.worker.evidence = dict(GOOD)
    await world.node("static-1", "static")
    await serve(world, "pinned", "static-1")
    await is_judged(world, "pinned", "True Exclusive")
    assert (await world.get("pinned"))["status"]["isolation"] == "Exclusive"
    await stage.operator.settled()
    before = await world.get("pinned")
    async with (
        api_proxy(server) as proxy,
        running_operator(
            proxy, tmp_path, gateway_admin_port=stage.gateway.port, isolation_port=stage.isolation_port
        ) as second,
    ):
        await second.settled(8.0)  # two looks, and what they might change
        ours = [write for write in second.writes if world.namespace in write.path]
    assert ours == []
    assert await world.get("pinned") == before


async def test_an_administrators_label_that_the_worker_contradicts(stage: Stage, world: World) -> None:
    stage.worker.evidence = GOOD | {"containerCpus": "0-3"}
    await world.node("labelled-1", "static")
    await serve(world, "wide", "labelled-1")
    await is_judged(world, "wide", "False LabelContradicted")
    status = (await world.get("wide"))["status"]
    assert status["isolation"] == "Shared"
    assert (
        "cores 0-3 of labelled-1 and asked for 1" in (await world.condition("wide", "CPUIsolated"))["message"]
    )


async def test_a_node_whose_kubelet_cannot_be_asked_is_labelled_by_its_first_worker(
    stage: Stage, world: World
) -> None:
    stage.worker.evidence = dict(GOOD)
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "silent-1", "labels": {"zone": "b"}}}
    await world.kube.create("/api/v1/nodes", body, field_manager="tests")
    await serve(world, "first", "silent-1")
    await is_judged(world, "first", "True Exclusive")
    node = await world.kube.get("/api/v1/nodes/silent-1")
    assert node["metadata"]["labels"]["tidegate.io/cpu-manager-policy"] == "static"


async def test_figures_stand_as_first_written_also_for_an_operator_that_was_started_since(
    server: ApiServer, stage: Stage, world: World, tmp_path: Path
) -> None:
    stage.worker.evidence = GOOD | {"quotaCores": 1.0}
    stage.worker.grows = {"periods": 50, "throttledPeriods": 9}
    await world.node("static-2", "static")
    await serve(world, "stopped", "static-2")
    await is_judged(world, "stopped", "False Throttled")
    stage.worker.grows = {}
    before = await world.get("stopped")
    assert before["status"]["isolation"] == "Throttled"
    assert (
        "its quota of 1 cores stopped it in" in (await world.condition("stopped", "CPUIsolated"))["message"]
    )
    await stage.operator.settled()
    async with (
        api_proxy(server) as proxy,
        running_operator(
            proxy, tmp_path, gateway_admin_port=stage.gateway.port, isolation_port=stage.isolation_port
        ) as second,
    ):
        await second.settled(8.0)  # two looks at which nothing is stopped
        ours = [write for write in second.writes if world.namespace in write.path]
    assert ours == []
    assert await world.get("stopped") == before


async def test_a_service_that_wants_no_isolation_has_no_condition_and_asleep_it_is_unknown(
    stage: Stage, world: World
) -> None:
    await world.idle("asleep")
    assert await verdict(world, "asleep") == "Unknown NoWorkers"
    await world.idle("careless", cpuIsolation="None")
    assert await verdict(world, "careless") == ""
