"""The condition SLOMet from what a gateway counts, through a restart of the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.harness import Operator, World, api_proxy, played_parts, running_operator
from tests.unit.controller.streams import FakeGateway
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import KubeClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


def counted(fast: int, slow: int, instance: str = "i") -> dict[str, Any]:
    """Requests of up to one second, and of one to ten."""
    histogram = {"edges": [1, 10], "counts": [fast, slow, 0]}
    requests = {"completed": {"200": fast + slow}}
    return {
        "instance": instance,
        "uptimeSeconds": 5,
        "requests": requests,
        "histograms": {"total": histogram},
    }


async def verdict(world: World, status: str) -> None:
    """Returns when SLOMet has that status."""

    async def reached() -> bool:
        conditions = (await world.get("judged"))["status"].get("conditions", [])
        return any(each["type"] == "SLOMet" and each["status"] == status for each in conditions)

    await eventually(reached, f"SLOMet is {status}")


async def test_the_verdict_follows_the_counts_and_stands_through_a_restart(
    server: ApiServer, kube: KubeClient, world: World, tmp_path: Path
) -> None:
    async with played_parts(kube) as (gateway, _, settings), api_proxy(server) as proxy:
        quick = {**settings, "slo_seconds": 0.3}
        async with running_operator(proxy, tmp_path, **quick) as operator:
            await world.idle("judged", slo={"totalP95Seconds": "2"})
            await becomes_missed_and_met_again(world, gateway)
            gateway.counted = counted(3000, 3000)
            await verdict(world, "False")
            await operator.settled()
            before = writes_of(world, operator)
            gateway.counted = counted(3000, 3001)
            await operator.settled()
            assert writes_of(world, operator) == before
        gateway.counted = {}
        async with running_operator(proxy, tmp_path, **quick) as operator:
            await stands_without_data(world, operator)
            await world.change("judged", slo=None)
            await eventually(lambda: _no_verdict(world), "a service without targets has no verdict")


def writes_of(world: World, operator: Operator) -> int:
    """Writes to this test's own objects; other tests have left services on the same API server."""
    return sum(1 for each in operator.writes if f"/{world.namespace}/" in each.path)


async def becomes_missed_and_met_again(world: World, gateway: FakeGateway) -> None:
    """Each time with an Event."""
    await verdict(world, "Unknown")
    gateway.counted = counted(0, 100)
    await verdict(world, "False")
    found = await world.condition("judged", "SLOMet")
    assert found["message"] == "totalP95Seconds 9.6 > 2 over the last 10 min, about 100 requests"
    gateway.counted = counted(3000, 100)
    await verdict(world, "True")

    async def told() -> bool:
        events, _ = await world.kube.list_all(paths.events(world.namespace))
        return {"TargetsMissed", "TargetsMet"} <= {each["reason"] for each in events}

    await eventually(told, "both are announced")


async def stands_without_data(world: World, operator: Operator) -> None:
    """The verdict of before, and not a write."""
    before = await world.condition("judged", "SLOMet")
    writes = writes_of(world, operator)
    await operator.settled()
    assert await world.condition("judged", "SLOMet") == before
    assert writes_of(world, operator) == writes


async def _no_verdict(world: World) -> bool:
    conditions = (await world.get("judged"))["status"]["conditions"]
    return all(each["type"] != "SLOMet" for each in conditions)
