"""Kubernetes' own HorizontalPodAutoscaler controller and a running operator, before one API server."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.component.operator.autoscaling import Autoscaled, Metrics, metrics_api, registered
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, ready_status
from tests.metrics_api.documented import documented
from tidegate.devcluster import ApiServer
from tidegate.devcluster.apiserver import find_programs
from tidegate.devcluster.progress import Progress
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

pytestmark = [pytest.mark.asyncio(loop_scope="module")]

PERIOD = 0.5  # seconds between two looks of the autoscalers' controller
CONTROLLER_MANAGER = "kube-controller-manager"
EXTERNAL = {"mode": "External"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def metrics(
    server: ApiServer, kube: KubeClient, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Metrics]:
    """The autoscalers' controller runs, and asks a metrics API behind the API server."""
    program = find_programs(Progress(sys.stderr), [CONTROLLER_MANAGER])[CONTROLLER_MANAGER]
    with metrics_api(server, tmp_path_factory.mktemp("metrics")) as serving:
        async with registered(kube, serving):
            with server.autoscaler(program, PERIOD):
                yield serving


@pytest.fixture
def qwen(world: World, server: ApiServer, metrics: Metrics) -> Autoscaled:
    """With an empty queue."""
    metrics.tell(0)
    return Autoscaled(world, server)


async def _owners(world: World) -> list[tuple[str, str]]:
    """Manager and subresource of each that owns spec.replicas."""
    fields: list[Json] = (await world.get("qwen"))["metadata"]["managedFields"]
    owns = (each for each in fields if "f:replicas" in each["fieldsV1"].get("f:spec", {}))
    return [(each["manager"], each.get("subresource", "")) for each in owns]


async def _runs(world: World, *pods: str) -> None:
    """These are Ready for a long while."""
    for pod in pods:
        await world.pod("qwen", pod, ready_status(time.time() - 600))


async def test_in_external_it_scales_up_and_down_and_reports_no_error(
    world: World, qwen: Autoscaled, metrics: Metrics, stage: Stage
) -> None:
    await world.create("qwen", scaling=EXTERNAL, replicas=1)
    await world.phase("qwen", "Starting")
    await _runs(world, "qwen-1")
    metrics.tell(60)
    await qwen.autoscale()
    await qwen.workers(3)
    await _runs(world, "qwen-2", "qwen-3")
    assert await _owners(world) == [(CONTROLLER_MANAGER, "scale")], "one, and no longer who created it"
    await qwen.says("AbleToScale", "True", "ReadyForNewScale")
    await qwen.says("ScalingActive", "True", "ValidMetricFound")
    await stage.operator.settled(1.0)
    before = qwen.writes()
    await qwen.looks()
    assert qwen.writes() == before, "nothing is to be done, and nothing is written"
    metrics.tell(5)
    await qwen.workers(1)
    assert await qwen.warnings() == []
    scaled = [each for each in qwen.writes() if each[1].endswith("/scale")]
    assert scaled == [
        ("tidegate-operator", "deployments/scale", 200),
        *[("autoscaler", "inferenceservices/scale", 200), ("tidegate-operator", "deployments/scale", 200)]
        * 2,
    ], "each of them writes once for each number"


async def test_in_managed_it_changes_nothing_and_tidegate_goes_on_deciding(
    world: World, qwen: Autoscaled, metrics: Metrics, stage: Stage
) -> None:
    await world.idle("qwen", scaling={"maxReplicas": 4})
    metrics.tell(60)
    await qwen.autoscale()
    await qwen.says("AbleToScale", "False", "FailedGetScale")
    assert '".spec.replicas" does not exist' in (await qwen.condition("AbleToScale"))[2]
    await world.scale("qwen", 1)
    stage.gateway.tell(f"{world.namespace}/qwen", waiting=40, inFlight=8)
    await qwen.workers(2)
    await _runs(world, "qwen-1", "qwen-2")
    await world.phase("qwen", "Running")
    await stage.operator.settled(1.0)
    before = qwen.writes()
    await qwen.looks()
    assert qwen.writes() == before
    assert [each for each in before if each[0] == "autoscaler"] == [], "it does not come to write"
    assert "replicas" not in (await world.get("qwen"))["spec"]
    assert (await world.get("qwen"))["metadata"]["generation"] == 1
    stage.gateway.tell(f"{world.namespace}/qwen")


async def test_switched_there_and_back_while_it_exists_the_number_has_one_owner_and_does_not_jump(
    world: World, qwen: Autoscaled, metrics: Metrics, stage: Stage
) -> None:
    key = f"{world.namespace}/qwen"
    stage.gateway.tell(key, waiting=40, inFlight=32)
    await world.create("qwen", scaling={"maxReplicas": 6})
    await world.phase("qwen", "Idle")
    await world.scale("qwen", 1)
    await qwen.workers(3)
    await _runs(world, "qwen-1", "qwen-2", "qwen-3")
    metrics.tell(72)
    await qwen.autoscale()
    await qwen.says("AbleToScale", "False", "FailedGetScale")
    before = qwen.writes()
    await world.change("qwen", replicas=3, scaling=EXTERNAL)
    await qwen.says("ScalingActive", "True", "ValidMetricFound")
    await qwen.looks()
    numbers = [each for each in qwen.writes()[len(before) :] if each[1].endswith("/scale")]
    assert numbers == [], "the autoscaler finds what it would have asked for"
    metrics.tell(90)
    await qwen.workers(4)
    await world.change("qwen", replicas=None, scaling={"mode": "Managed"})
    await qwen.says("AbleToScale", "False", "FailedGetScale")
    await stage.operator.settled(1.0)
    assert await world.replicas("qwen") == 4, "surplus has its delay, and nobody else has a say"
    assert (await world.get("qwen"))["status"]["scaling"]["reason"] != "External"
    assert await _owners(world) == []
    stage.gateway.tell(key, waiting=120, inFlight=32)  # 5 of 32 slots each suffice for 142
    await qwen.workers(6)
    stage.gateway.tell(key)


async def test_at_zero_it_rests_and_whoever_scales_to_one_starts_it_again(
    world: World, qwen: Autoscaled, metrics: Metrics, stage: Stage
) -> None:
    """As KEDA uses it: it goes to zero and to one by itself, and leaves the rest to the autoscaler."""
    target = documented("ScaledObject", world.namespace, "qwen")["spec"]["scaleTargetRef"]
    assert target == documented("HorizontalPodAutoscaler", world.namespace, "qwen")["spec"]["scaleTargetRef"]
    await world.create("qwen", scaling=EXTERNAL, replicas=1)
    await world.phase("qwen", "Starting")
    metrics.tell(20)
    await qwen.autoscale()
    await qwen.says("ScalingActive", "True", "ValidMetricFound")
    scale = await world.kube.get(qwen.scale)
    assert scale["status"]["selector"] == "tidegate.io/inferenceservice=qwen"
    await world.kube.replace(qwen.scale, scale | {"spec": {"replicas": 0}}, field_manager="keda")
    await qwen.workers(0)
    await qwen.says("ScalingActive", "False", "ScalingDisabled")
    await stage.operator.settled(1.0)
    before = qwen.writes()
    await qwen.looks()
    assert qwen.writes() == before
    metrics.tell(40)
    await world.kube.merge_patch(qwen.scale, {"spec": {"replicas": 1}}, field_manager="keda")
    await qwen.workers(2)
    assert await qwen.warnings() == []


async def test_suspended_and_deleted_come_before_its_number_and_it_fights_with_neither(
    world: World, qwen: Autoscaled, metrics: Metrics, stage: Stage
) -> None:
    await world.create("qwen", scaling=EXTERNAL, replicas=1)
    await world.phase("qwen", "Starting")
    metrics.tell(72)
    await qwen.autoscale()
    await qwen.workers(3)
    await world.change("qwen", suspend=True)
    await world.phase("qwen", "Suspended")
    await stage.operator.settled(1.0)
    before = qwen.writes()
    metrics.tell(24)
    await qwen.looks()
    after = [each for each in qwen.writes()[len(before) :] if each[1].endswith("/scale")]
    assert after == [("autoscaler", "inferenceservices/scale", 200)], "once, to what it wants now"
    assert await world.replicas("qwen") == 0, "the number may change, the workers do not"
    await world.change("qwen", suspend=False)
    await qwen.workers(1)
    await _held(world, ["tests.example/held"])
    await world.kube.delete(paths.inference_service(world.namespace, "qwen"))
    await qwen.workers(0)
    metrics.tell(72)
    await qwen.looks()
    assert await world.replicas("qwen") == 0, "it may ask for three: nobody is to get them"
    await _held(world, None)


async def _held(world: World, finalizers: list[str] | None) -> None:
    """By somebody who does something before it may go."""
    path, change = paths.inference_service(world.namespace, "qwen"), {"metadata": {"finalizers": finalizers}}
    await world.kube.merge_patch(path, change, field_manager="tests")
