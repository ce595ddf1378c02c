"""Writes of what a service owns, where the world has changed between look and write."""

from __future__ import annotations

import pytest

from tests.component.operator.harness import World
from tests.unit.resources import services
from tidegate.api.v1alpha1 import parse
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.objects import ObjectWriter
from tidegate.kube import paths
from tidegate.kube.cache import Kind, ObjectCache
from tidegate.kube.errors import ConflictError, NotFoundError
from tidegate.resources.plan import Action, Desired

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def writer_for(world: World, name: str) -> tuple[ObjectWriter, ObjectCache, Desired]:
    desired = services.desired(parse(await world.create(name)))
    cache = ObjectCache()
    writer = ObjectWriter(world.kube, cache, OperatorMetrics())
    assert await writer.carry_out(Action("create", desired.seed), desired) is None
    return writer, cache, desired


async def test_an_apply_of_what_has_gone_meanwhile_creates_no_worker(world: World) -> None:
    writer, _, desired = await writer_for(world, "gone")
    path = paths.deployment(world.namespace, "gone-worker")
    await world.kube.delete(path)
    with pytest.raises(ConflictError):
        await writer.carry_out(Action("apply", desired.deployment), desired)
    with pytest.raises(NotFoundError):
        await world.kube.get(path)


async def test_a_seed_that_is_woken_before_its_apply_keeps_its_worker(
    world: World,
) -> None:
    writer, cache, desired = await writer_for(world, "early")
    assert (await world.deployment("early"))["spec"]["paused"]
    await world.scale("early", 1)
    await writer.carry_out(Action("apply", desired.deployment), desired)
    after = await world.deployment("early")
    assert after["spec"]["replicas"] == 1
    assert not after["spec"].get("paused")
    cached = cache.get(Kind.DEPLOYMENT, world.namespace, "early-worker")
    assert cached
    assert cached["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]


async def test_one_of_ours_that_lost_its_label_is_found_by_its_owner(world: World) -> None:
    _, _, desired = await writer_for(world, "bare")
    fresh = ObjectCache()
    writer = ObjectWriter(world.kube, fresh, OperatorMetrics())
    assert await writer.carry_out(Action("create", desired.seed), desired) is None
    assert fresh.get(Kind.DEPLOYMENT, world.namespace, "bare-worker")


async def test_a_foreign_one_that_came_first_is_a_conflict(world: World) -> None:
    _, cache, desired = await writer_for(world, "first")
    await world.kube.delete(paths.inference_service(world.namespace, "first"))
    second = services.desired(parse(await world.create("first")))
    assert second.uid != desired.uid
    writer = ObjectWriter(world.kube, cache, OperatorMetrics())
    conflict = await writer.carry_out(Action("create", second.seed), second)
    assert conflict
    assert conflict.reason == "NameConflict"
