"""What a reconcile must get right besides: others that write too, names that return, ends that last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from tests.component.kube.objects import MANAGER
from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World
from tidegate.controller.contests import Contests
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.objects import ObjectWriter
from tidegate.kube import paths
from tidegate.kube.cache import ObjectCache
from tidegate.kube.client import Json
from tidegate.kube.errors import ConflictError, KubeError, NotFoundError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]

SEVERAL = {"scaling": {"maxReplicas": 2}}


async def test_fields_that_somebody_changes_again_and_again_are_no_hot_loop_and_he_is_named(
    world: World, stage: Stage
) -> None:
    await world.idle("fought")
    path = paths.deployment(world.namespace, "fought-worker")
    async with _changing_back(world, "fought", "somebody"):
        await eventually(lambda: _contested(world, "fought"), "it is told")
        condition = await world.condition("fought", "Contested")
        assert condition["status"] == "True"
        assert ".spec.revisionHistoryLimit" in condition["message"]
        assert "somebody" in condition["message"]
        assert "Deployment fought-worker" in condition["message"]
        before, begun = _applies(stage, path), time.monotonic()
        await asyncio.sleep(5)
        assert _applies(stage, path) - before <= max(3, (time.monotonic() - begun) / 2)
    await eventually(lambda: _history(world, "fought", 1), "ours has the last word")


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
async def test_a_foreign_object_of_any_of_our_names_is_left_alone(world: World, kind: str) -> None:
    name = f"theirs-{kind[:3].lower()}"
    path, manifest = _foreign(world, name, kind)
    created = await world.kube.create(path, manifest, field_manager="them")
    await world.create(name, **SEVERAL)
    await world.phase(name, "Failed")
    ready = await world.condition(name)
    assert ready["reason"] == "NameConflict"
    assert kind in ready["message"]
    now = await world.kube.get(f"{path}/{manifest['metadata']['name']}")
    assert now["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_what_a_predecessor_left_is_waited_for_and_never_called_a_conflict(world: World) -> None:
    await world.idle("heir", **SEVERAL)
    await world.kube.delete(paths.inference_service(world.namespace, "heir"))
    await world.create("heir", **SEVERAL)  # nobody collects garbage here: all that it owned is still there
    await world.phase("heir", "Starting")
    ready = await world.condition("heir")
    assert ready["reason"] == "PredecessorNotGone"
    assert "being collected" in ready["message"]
    await _collect(world, "heir")
    await world.phase("heir", "Idle")
    uid = (await world.get("heir"))["metadata"]["uid"]
    assert (await world.deployment("heir"))["metadata"]["ownerReferences"][0]["uid"] == uid


async def test_what_a_predecessor_left_without_its_label_is_found_when_it_goes(world: World) -> None:
    await world.idle("bare")
    gone = {"metadata": {"labels": {"tidegate.io/inferenceservice": None}}}
    await world.kube.delete(paths.inference_service(world.namespace, "bare"))
    await world.kube.merge_patch(paths.service(world.namespace, "bare"), gone, field_manager=MANAGER)
    await world.create("bare")
    await _collect(world, "bare")
    await world.phase("bare", "Idle")


async def test_while_a_finalizer_holds_a_deleted_service_its_workers_go(world: World) -> None:
    await world.idle("held")
    await _finalizers(world, "held", ["example.com/archive"])
    await world.scale("held", 1)
    await world.phase("held", "Starting")
    await world.kube.delete(paths.inference_service(world.namespace, "held"))
    await eventually(lambda: _replicas(world, "held", 0), "no worker is wanted")
    await _finalizers(world, "held", None)
    await eventually(lambda: _is_gone(world, "held"), "the service is gone")


async def test_workers_that_shall_outlive_their_service_are_left_running(world: World, stage: Stage) -> None:
    await world.idle("orphaned")
    await world.scale("orphaned", 1)
    await world.phase("orphaned", "Starting")
    proxy, path = stage.operator.proxy, paths.inference_service(world.namespace, "orphaned")
    options = {"propagationPolicy": "Orphan"}
    async with proxy.session.delete(f"{proxy.server.url}{path}", json=options) as answer:
        assert answer.status == 200
    assert (await world.get("orphaned"))["metadata"]["finalizers"] == ["orphan"]
    await stage.operator.settled(1.0)
    assert await world.replicas("orphaned") == 1
    await _finalizers(world, "orphaned", None)


async def test_a_status_is_never_written_to_a_successor(world: World) -> None:
    await world.idle("again")
    before = await world.get("again")
    await world.kube.delete(paths.inference_service(world.namespace, "again"))
    await world.create("again", suspend=True)
    writer = ObjectWriter(world.kube, ObjectCache(), OperatorMetrics(), Contests(time.time))
    with pytest.raises(ConflictError):
        await writer.write_status(before, {"phase": "Failed"})


async def test_a_label_that_a_version_says_no_more_goes_and_one_of_others_stays(world: World) -> None:
    """Written by our field manager, as an earlier version would have; no manifest of this one says it."""
    await world.idle("newer", **SEVERAL)
    objects = (
        ("apps/v1", "Deployment", paths.deployment(world.namespace, "newer-worker")),
        ("v1", "Service", paths.service(world.namespace, "newer")),
        ("policy/v1", "PodDisruptionBudget", paths.pod_disruption_budget(world.namespace, "newer-worker")),
    )
    for version, kind, path in objects:
        await _said_by_an_earlier_version(world, version, kind, path)
    for _, _, path in objects:
        await eventually(partial(_label, world, path, "old", None), f"{path} lost it")
        assert await _label(world, path, "theirs", "stays")


async def _said_by_an_earlier_version(world: World, version: str, kind: str, path: str) -> None:
    metadata = (await world.kube.get(path))["metadata"]
    theirs = {"metadata": {"labels": {"theirs": "stays"}}}
    await world.kube.merge_patch(path, theirs, field_manager="them")
    labels = {**metadata["labels"], "old": "version"}
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "ownerReferences")}
    annotations = {"tidegate.io/spec-hash": "of another version"}
    said: Json = {**kept, "labels": labels, "annotations": annotations}
    spec = (await world.kube.get(path))["spec"]
    spec.pop("replicas", None)
    await world.kube.apply(
        path,
        {"apiVersion": version, "kind": kind, "metadata": said, "spec": spec},
        field_manager="tidegate-operator",
    )


@asynccontextmanager
async def _changing_back(world: World, name: str, manager: str) -> AsyncIterator[None]:
    """Somebody's controller, who wants another history limit and writes it whenever it is ours."""
    path = paths.deployment(world.namespace, f"{name}-worker")

    async def fight() -> None:
        while True:
            if not await _history(world, name, 7):
                with suppress(KubeError):
                    await world.kube.merge_patch(
                        path, {"spec": {"revisionHistoryLimit": 7}}, field_manager=manager
                    )
            await asyncio.sleep(0.02)

    task = asyncio.create_task(fight())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _applies(stage: Stage, path: str) -> int:
    return sum(write.path == path and write.method == "PATCH" for write in stage.operator.writes)


async def _history(world: World, name: str, limit: int) -> bool:
    return bool((await world.deployment(name))["spec"]["revisionHistoryLimit"] == limit)


async def _contested(world: World, name: str) -> bool:
    conditions = (await world.get(name)).get("status", {}).get("conditions", [])
    return any(each["type"] == "Contested" for each in conditions)


def _foreign(world: World, name: str, kind: str) -> tuple[str, Json]:
    if kind == "Service":
        spec: Json = {"ports": [{"port": 80}]}
        path, version = paths.services(world.namespace), "v1"
    else:
        spec = {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "theirs"}}}
        path, version, name = paths.pod_disruption_budgets(world.namespace), "policy/v1", f"{name}-worker"
    metadata = {"name": name, "namespace": world.namespace}
    return path, {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


async def _collect(world: World, name: str) -> None:
    """What the garbage collector does."""
    for path in (
        paths.deployment(world.namespace, f"{name}-worker"),
        paths.service(world.namespace, name),
        paths.pod_disruption_budget(world.namespace, f"{name}-worker"),
    ):
        with suppress(NotFoundError):
            await world.kube.delete(path)


async def _finalizers(world: World, name: str, finalizers: list[str] | None) -> None:
    path = paths.inference_service(world.namespace, name)
    await world.kube.merge_patch(path, {"metadata": {"finalizers": finalizers}}, field_manager=MANAGER)


async def _is_gone(world: World, name: str) -> bool:
    try:
        await world.get(name)
    except NotFoundError:
        return True
    return False


async def _replicas(world: World, name: str, count: int) -> bool:
    return await world.replicas(name) == count


async def _label(world: World, path: str, label: str, value: str | None) -> bool:
    return bool((await world.kube.get(path))["metadata"]["labels"].get(label) == value)
