"""The scale subresource, as the operator writes it."""

from __future__ import annotations

import pytest

from tests.component.kube.objects import create_deployment, replicas
from tests.component.operator.harness import World
from tidegate.kube.errors import ConflictError
from tidegate.kube.scale import write_scale

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_decrease_that_was_decided_on_old_facts_is_refused(world: World) -> None:
    seen = await create_deployment(world.kube, world.namespace, "busy", replicas=2)
    await world.scale("busy", 3)
    with pytest.raises(ConflictError):
        await write_scale(world.kube, seen, 0)
    assert await replicas(world.kube, world.namespace, "busy") == 3


async def test_a_decrease_on_what_is_now_is_written_and_told(world: World) -> None:
    seen = await create_deployment(world.kube, world.namespace, "idle", replicas=2)
    after = await write_scale(world.kube, seen, 0)
    now = await world.deployment("idle")
    assert after["spec"]["replicas"] == now["spec"]["replicas"] == 0
    assert after["metadata"]["resourceVersion"] == now["metadata"]["resourceVersion"]


async def test_an_increase_does_not_wait_for_the_latest_facts(world: World) -> None:
    seen = await create_deployment(world.kube, world.namespace, "popular", replicas=0)
    await world.scale("popular", 1)
    assert (await write_scale(world.kube, seen, 3))["spec"]["replicas"] == 3


async def test_a_successor_of_the_same_name_is_left_alone(world: World) -> None:
    seen = await create_deployment(world.kube, world.namespace, "again", replicas=1)
    await world.kube.delete(f"/apis/apps/v1/namespaces/{world.namespace}/deployments/again-worker")
    await create_deployment(world.kube, world.namespace, "again", replicas=1)
    with pytest.raises(ConflictError):
        await write_scale(world.kube, seen, 0)
