"""A replica whose watch of InferenceServices lags behind that of Deployments, as one that begins to lead."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.component.chart.audit import entries_of
from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.faults import deaf_to
from tests.component.operator.harness import World
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.errors import NotFoundError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "change",
    [
        ({"scaling": {"mode": "External"}, "replicas": 2}, {"replicas": 5}, 5),
        ({"scaling": {"mode": "External"}, "replicas": 3, "suspend": True}, {"suspend": False}, 3),
        ({"scaling": {"maxReplicas": 2, "minReplicas": 2}}, {"scaling": {"maxReplicas": 4}}, 4),
    ],
)
async def test_what_others_raised_by_a_newer_spec_is_not_lowered_by_an_old_one(
    world: World, stage: Stage, server: ApiServer, change: tuple[dict[str, Any], dict[str, Any], int]
) -> None:
    before, after, workers = change
    proxy, heard = stage.operator.proxy, asyncio.Event()
    await world.create("qwen", **before)
    await eventually(lambda: _wanted(world, 0 if before.get("suspend") else 2), "the spec is followed")
    await stage.operator.settled(1.0)
    proxy.befall(deaf_to("inferenceservices", heard))
    written = _scale_writes(stage, world)
    try:
        await world.change("qwen", **after)
        await world.scale("qwen", workers)
        await eventually(lambda: _asked(server, world), "the operator has read the spec once more")
        await stage.operator.settled(1.0)
        assert await world.replicas("qwen") == workers
        assert _scale_writes(stage, world) == written
    finally:
        heard.set()
        proxy.befall(None)


async def _wanted(world: World, count: int) -> bool:
    with suppress(NotFoundError):
        return await world.replicas("qwen") == count
    return False


def _asked(server: ApiServer, world: World) -> bool:
    path = f"{paths.inference_services(world.namespace)}?fieldSelector=metadata.name%3Dqwen"
    return any(each["requestURI"].startswith(path) for each in entries_of(server.audit_log))


def _scale_writes(stage: Stage, world: World) -> int:
    path = paths.deployment_scale(world.namespace, "qwen-worker")
    return sum(1 for each in stage.operator.writes if each.path == path)
