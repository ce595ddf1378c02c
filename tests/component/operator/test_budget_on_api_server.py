"""The PodDisruptionBudget before a real API server: it comes, is kept right, and goes."""

from __future__ import annotations

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World
from tidegate.kube import paths
from tidegate.kube.client import Json
from tidegate.kube.errors import NotFoundError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]


def path_of(world: World, name: str) -> str:
    return paths.pod_disruption_budget(world.namespace, f"{name}-worker")


async def budget(world: World, name: str) -> Json | None:
    try:
        return await world.kube.get(path_of(world, name))
    except NotFoundError:
        return None


async def there(world: World, name: str) -> bool:
    return await budget(world, name) is not None


async def gone(world: World, name: str) -> bool:
    return await budget(world, name) is None


async def test_it_comes_and_goes_with_the_second_worker_and_is_written_once(
    world: World, stage: Stage
) -> None:
    await world.idle("grows")
    assert await gone(world, "grows")
    await world.change("grows", scaling={"maxReplicas": 2})
    await eventually(lambda: there(world, "grows"), "a second worker brings it")
    await world.change("grows", scaling={"maxReplicas": 1})
    await eventually(lambda: gone(world, "grows"), "the last but one takes it away")
    await stage.operator.settled(1)
    where = paths.pod_disruption_budgets(
        world.namespace
    )  # the stage's operator has others' to look after, too
    writes = [write.method for write in stage.operator.writes if write.path.startswith(where)]
    assert writes == ["POST", "PATCH", "DELETE"]


async def test_what_others_change_in_it_or_delete_is_put_right(world: World) -> None:
    await world.idle("kept", scaling={"maxReplicas": 2})
    blocking = {"spec": {"maxUnavailable": 0}}
    await world.kube.merge_patch(path_of(world, "kept"), blocking, field_manager="somebody")

    async def right() -> bool:
        found = await budget(world, "kept")
        return found is not None and found["spec"].get("maxUnavailable") == 1

    await eventually(right, "it is corrected")
    await world.kube.delete(path_of(world, "kept"))
    await eventually(right, "it is made anew")


async def test_a_foreign_one_is_named_and_left_alone(world: World) -> None:
    foreign = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "taken-worker"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "theirs"}}},
    }
    where = paths.pod_disruption_budgets(world.namespace)
    created = await world.kube.create(where, foreign, field_manager="them")
    await world.create("taken", scaling={"maxReplicas": 2})
    await world.phase("taken", "Failed")
    ready = await world.condition("taken")
    assert ready["reason"] == "NameConflict"
    assert "PodDisruptionBudget named taken-worker" in ready["message"]
    assert await budget(world, "taken") == created
    await world.change("taken", scaling={"maxReplicas": 1})
    await world.phase("taken", "Idle")
    assert await budget(world, "taken") == created


async def test_a_finalizer_of_others_is_waited_for(world: World, stage: Stage) -> None:
    await world.idle("held", scaling={"maxReplicas": 2})
    held = {"metadata": {"finalizers": ["example.org/hold"]}}
    await world.kube.merge_patch(path_of(world, "held"), held, field_manager="them")
    await world.change("held", scaling={"maxReplicas": 1})

    async def ending() -> bool:
        found = await budget(world, "held")
        return found is not None and "deletionTimestamp" in found["metadata"]

    await eventually(ending, "it is deleted but for the finalizer")
    await world.change("held", scaling={"maxReplicas": 2})
    await stage.operator.settled(1)
    released = {"metadata": {"finalizers": None}}
    await world.kube.merge_patch(path_of(world, "held"), released, field_manager="them")

    async def new() -> bool:
        found = await budget(world, "held")
        return found is not None and "deletionTimestamp" not in found["metadata"]

    await eventually(new, "the next one is made")
    deletions = [w for w in stage.operator.writes if w.method == "DELETE" and w.path.endswith("/held-worker")]
    assert len(deletions) == 1
