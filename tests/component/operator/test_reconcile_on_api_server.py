"""One operator before a real API server. No controller makes pods here: the tests do."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, failed_status, ready_status
from tidegate.kube import paths
from tidegate.kube.errors import InvalidError

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]


async def test_a_new_service_starts_no_pod(world: World) -> None:
    await world.idle("quiet")
    deployment = await world.deployment("quiet")
    assert deployment["spec"]["replicas"] == 0
    assert not deployment["spec"].get("paused")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    service = await world.kube.get(paths.service(world.namespace, "quiet"))
    assert service["spec"]["externalName"] == "tidegate-gateway.tidegate-system.svc.cluster.local"
    assert service["metadata"]["ownerReferences"][0]["uid"] == (await world.get("quiet"))["metadata"]["uid"]


async def test_a_change_of_a_sleeping_service_wakes_nothing(world: World) -> None:
    await world.idle("asleep")
    await world.change("asleep", engine={"args": ["--dtype", "half"]})
    await eventually(lambda: _has_argument(world, "asleep", "half"), "the change has arrived")
    assert await world.replicas("asleep") == 0


async def test_a_change_of_a_woken_service_leaves_its_replicas(world: World) -> None:
    await world.idle("awake", scaling={"maxReplicas": 5})
    await world.scale("awake", 3)
    await world.change("awake", engine={"args": ["--dtype", "half"]})
    await eventually(lambda: _has_argument(world, "awake", "half"), "the change has arrived")
    assert await world.replicas("awake") == 3


async def test_drift_of_what_we_set_is_corrected_and_of_other_fields_left(world: World) -> None:
    await world.idle("drift")
    path = paths.deployment(world.namespace, "drift-worker")
    foreign = {"metadata": {"labels": {"theirs": "stays"}}, "spec": {"revisionHistoryLimit": 7}}
    await world.kube.merge_patch(path, foreign, field_manager="somebody")

    async def corrected() -> bool:
        return bool((await world.deployment("drift"))["spec"]["revisionHistoryLimit"] == 1)

    await eventually(corrected, "drift is corrected")
    assert (await world.deployment("drift"))["metadata"]["labels"]["theirs"] == "stays"


async def test_surge_and_back_leaves_no_field_behind(world: World) -> None:
    await world.idle("rolls", rollout="Surge")
    assert (await world.deployment("rolls"))["spec"]["strategy"]["type"] == "RollingUpdate"
    await world.change("rolls", rollout="Replace")

    async def replaced() -> bool:
        return bool((await world.deployment("rolls"))["spec"]["strategy"] == {"type": "Recreate"})

    await eventually(replaced, "the strategy is Recreate again")


async def test_a_foreign_deployment_of_the_same_name_is_refused_not_taken_over(world: World) -> None:
    labels = {"app": "theirs"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "theirs"}]}}
    foreign = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "taken-worker", "namespace": world.namespace},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    created = await world.kube.create(paths.deployments(world.namespace), foreign, field_manager="them")
    await world.create("taken")
    await world.phase("taken", "Failed")
    ready = await world.condition("taken")
    assert ready["reason"] == "NameConflict"
    assert "taken-worker" in ready["message"]
    now = await world.deployment("taken")
    assert now["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_a_spec_that_cannot_be_obeyed_says_which_field(world: World) -> None:
    gpu = {"resource": "amd.com/gpu", "count": 1}
    await world.create("amd", resources={"cpu": 1, "memory": "1Gi", "accelerator": gpu})
    await world.phase("amd", "Failed")
    ready = await world.condition("amd")
    assert ready["reason"] == "InvalidSpec"
    assert "spec.engine.image" in ready["message"]
    await world.change("amd", engine={"image": "rocm:1"})
    await world.phase("amd", "Idle")


async def test_a_minimum_is_started_by_the_operator(world: World) -> None:
    await world.create("kept", scaling={"minReplicas": 2, "maxReplicas": 2})
    await world.phase("kept", "Starting")
    assert await world.replicas("kept") == 2


async def test_external_follows_the_scale_subresource_and_nothing_else(world: World) -> None:
    await world.create("external", scaling={"mode": "External"}, replicas=0)
    await world.phase("external", "Idle")
    scale = paths.inference_service_scale(world.namespace, "external")
    await world.kube.merge_patch(scale, {"spec": {"replicas": 3}}, field_manager="hpa")
    await eventually(lambda: _replicas(world, "external", 3), "three workers are wanted")
    found = await world.kube.get(scale)
    assert found["status"]["selector"] == "tidegate.io/inferenceservice=external"


async def test_in_managed_a_write_of_replicas_is_refused_with_what_to_do(world: World) -> None:
    await world.idle("managed")
    scale = paths.inference_service_scale(world.namespace, "managed")
    with pytest.raises(InvalidError, match=r"scaling\.mode"):
        await world.kube.merge_patch(scale, {"spec": {"replicas": 3}}, field_manager="kubectl")


async def test_suspend_stops_the_workers_and_resume_does_not_start_them(world: World) -> None:
    await world.idle("held")
    await world.scale("held", 1)
    await world.pod("held", "held-1", ready_status(time.time()))
    await world.phase("held", "Running")
    await world.change("held", suspend=True)
    await world.phase("held", "Stopping")
    assert await world.replicas("held") == 0
    await world.delete_pod("held-1")
    await world.phase("held", "Suspended")
    assert (await world.condition("held"))["status"] == "False"
    await world.change("held", suspend=False)
    await world.phase("held", "Idle")
    assert await world.replicas("held") == 0


async def test_a_service_wakes_serves_and_sleeps_again(world: World, stage: Stage) -> None:
    await world.idle("tidal", scaling={"idleTimeoutSeconds": 2})
    stage.gateway.tell(f"{world.namespace}/tidal", waiting=1)
    await world.scale("tidal", 1)
    await world.phase("tidal", "Starting")
    await world.pod("tidal", "tidal-1", {"phase": "Pending"})
    await world.pod("tidal", "tidal-1", ready_status(time.time() + 1))
    await world.phase("tidal", "Running")
    status = (await world.get("tidal"))["status"]
    assert status["ready"] == "1/1"
    assert status["coldStarts"]["count"] == 1
    assert status["scaling"]["desired"] == 1
    await asyncio.sleep(3)
    assert await world.replicas("tidal") == 1, "a request still waits"
    asked = stage.worker.asked
    stage.gateway.tell(f"{world.namespace}/tidal", waiting=0, idleSeconds=0)
    await eventually(lambda: _replicas(world, "tidal", 0), "it is put to sleep")
    assert stage.worker.asked > asked, "the worker's own counters had the last word"
    await world.delete_pod("tidal-1")
    await world.phase("tidal", "Idle")


async def test_a_worker_that_says_it_works_is_not_put_to_sleep(world: World, stage: Stage) -> None:
    stage.worker.running = 1
    try:
        await world.idle("busy", scaling={"idleTimeoutSeconds": 0})
        await world.scale("busy", 1)
        await world.pod("busy", "busy-1", ready_status(time.time() - 60))
        await world.phase("busy", "Running")
        await asyncio.sleep(1)
        assert await world.replicas("busy") == 1
    finally:
        stage.worker.running = 0
    await eventually(lambda: _replicas(world, "busy", 0), "now it sleeps")


async def test_demand_raises_a_service_at_once(world: World, stage: Stage) -> None:
    await world.idle("popular", engine={"maxConcurrency": 8}, scaling={"maxReplicas": 4})
    await world.scale("popular", 1)
    stage.gateway.tell(f"{world.namespace}/popular", waiting=17, inFlight=0)  # 17 at 6 a worker: 3
    await eventually(lambda: _replicas(world, "popular", 3), "three workers are wanted")


async def test_a_failed_start_names_the_engines_own_reason_also_when_it_was_given_up(
    world: World, stage: Stage
) -> None:
    await world.idle("missing", scaling={"idleTimeoutSeconds": 3})
    await world.scale("missing", 1)
    await world.pod("missing", "missing-1", failed_status("ModelNotFound: /models/none has no config.json"))
    await world.phase("missing", "Failed")
    ready = await world.condition("missing")
    assert (ready["reason"], ready["message"]) == ("ModelNotFound", "/models/none has no config.json")
    await eventually(lambda: _replicas(world, "missing", 0), "nobody waits: it is given up")
    await world.delete_pod("missing-1")
    await stage.operator.settled(1.0)
    assert (await world.get("missing"))["status"]["phase"] == "Failed"
    assert (await world.condition("missing"))["reason"] == "ModelNotFound"
    stage.gateway.tell(f"{world.namespace}/missing", waiting=1)  # so that it is not given up again meanwhile
    await world.scale("missing", 1)
    await world.phase("missing", "Starting")


async def test_the_queues_depth_is_written_at_most_every_five_seconds(world: World, stage: Stage) -> None:
    await world.idle("deep")
    await world.scale("deep", 1)
    await world.phase("deep", "Starting")
    await stage.operator.settled()
    before, begun = len(_status_writes(stage, "deep")), time.monotonic()
    for depth in range(1, 31):
        stage.gateway.tell(f"{world.namespace}/deep", waiting=depth)
        await asyncio.sleep(0.1)
    written = len(_status_writes(stage, "deep")) - before
    assert written <= 1 + (time.monotonic() - begun) // 5

    async def shown() -> bool:
        return bool((await world.get("deep"))["status"]["queue"]["summary"] == "30/128")

    await eventually(shown, "the last depth is shown")


async def test_the_limit_and_its_source_stand_in_the_status(world: World) -> None:
    await world.idle("bounded")
    await world.idle("own", queue={"maxDepth": 7})
    assert (await world.get("bounded"))["status"]["queue"]["source"] == "Default"
    own = (await world.get("own"))["status"]["queue"]
    assert (own["limit"], own["source"], own["summary"]) == (7, "Spec", "0/7")
    assert (await world.condition("own", "QueueLimited"))["reason"] == "Spec"


async def test_without_a_webhook_the_limit_follows_calibration_and_the_default_comes_back(
    world: World,
) -> None:
    await world.idle("calibrated")
    path = paths.inference_service(world.namespace, "calibrated")

    async def told(limit: int, source: str) -> None:
        async def is_told() -> bool:
            queue = (await world.get("calibrated"))["status"]["queue"]
            return (queue["limit"], queue["source"], queue["summary"]) == (limit, source, f"0/{limit}")

        await eventually(is_told, f"{limit} from {source}")

    for text, limit, source in (
        ("96", 96, "Calibration"),
        ("many", 128, "Default"),
        ("48", 48, "Calibration"),
        (None, 128, "Default"),
    ):
        annotations = {"tidegate.io/calibrated-max-depth": text}
        await world.kube.merge_patch(path, {"metadata": {"annotations": annotations}}, field_manager="tests")
        await told(limit, source)


def _status_writes(stage: Stage, name: str) -> list[str]:
    return [write.path for write in stage.operator.writes if write.path.endswith(f"/{name}/status")]


async def _has_argument(world: World, name: str, argument: str) -> bool:
    (container,) = (await world.deployment(name))["spec"]["template"]["spec"]["containers"]
    return argument in container["args"]


async def _replicas(world: World, name: str, count: int) -> bool:
    return await world.replicas(name) == count


async def test_isolation_follows_the_nodes_label(world: World) -> None:
    await world.node("static-node", "static")
    await world.idle("pinned")
    await world.scale("pinned", 1)
    await world.pod(
        "pinned", "pinned-1", ready_status(time.time()) | {"qosClass": "Guaranteed"}, "static-node"
    )
    await eventually(lambda: _isolation(world, "pinned", "Exclusive"), "its cores are exclusive")
    await world.node("static-node", "none")
    await eventually(lambda: _isolation(world, "pinned", "Shared"), "the kubelet was reconfigured")


async def test_required_without_a_static_node_says_how_to_get_one(world: World) -> None:
    await world.node("static-node", "none")
    await world.idle("strict", cpuIsolation="Required")
    await world.scale("strict", 1)
    message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    await world.pod("strict", "strict-1", {"phase": "Pending", "conditions": [unscheduled]})

    async def named() -> bool:
        return bool((await world.condition("strict"))["reason"] == "NoStaticNode")

    await eventually(named, "the cause is named")
    assert "cpuManagerPolicy: static" in (await world.condition("strict", "Scheduled"))["message"]


async def _isolation(world: World, name: str, isolation: str) -> bool:
    return str((await world.get(name))["status"].get("isolation")) == isolation
