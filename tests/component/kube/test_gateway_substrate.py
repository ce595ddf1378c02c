"""The gateway's substrate against a real API server, whose connections are cut in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.component.kube.objects import (
    MANAGER,
    create_deployment,
    create_pod,
    create_service,
    replicas,
    service_manifest,
    set_pod_status,
)
from tests.component.kube.wire import CuttableProxy, eventually, restart
from tests.unit.kube.fakes import RecordingSink
from tidegate.devcluster import ApiServer
from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import InvalidError, KubeError
from tidegate.kube.gateway_substrate import GatewaySubstrate
from tidegate.kube.reflector import Pace

PACE = Pace(relist=600, retry=0.05, retry_limit=0.2)


@asynccontextmanager
async def watching(client: KubeClient, pace: Pace = PACE) -> AsyncIterator[RecordingSink]:
    """A sink that is told of the whole cluster, and has heard that it is in step."""
    sink = RecordingSink()
    task = asyncio.create_task(GatewaySubstrate(client, pace=pace).watch(sink))
    try:
        await eventually(lambda: "synced" in sink.log, "the sink is in step")
        yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_exists_is_told_before_synced(client: KubeClient, namespace: str) -> None:
    await create_service(client, namespace, "qwen", queue={"maxDepth": 7})
    pod = await create_pod(client, namespace, "qwen", "w1")
    async with watching(client) as sink:
        key = ServiceKey(namespace, "qwen")
        assert sink.log.index(f"changed {key} 1") < sink.log.index("synced")
        view = sink.views[key]
        assert view.config.max_depth == 7
        assert view.config.served_names == ("qwen",)
        assert [worker.uid for worker in view.workers] == [pod["metadata"]["uid"]]


async def test_a_worker_is_followed_from_its_creation_to_its_end(client: KubeClient, namespace: str) -> None:
    key = ServiceKey(namespace, "qwen")
    await create_service(client, namespace, "qwen")
    async with watching(client) as sink:
        await create_pod(client, namespace, "qwen", "w1")
        await eventually(lambda: len(sink.views[key].workers) == 1, "the worker is there")
        assert sink.views[key].workers[0].stage == "created"
        running = {"name": "engine", "restartCount": 1, "state": {"running": {}}, "ready": True}
        status = {
            "podIP": "10.1.2.3",
            "podIPs": [{"ip": "10.1.2.3"}],
            "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
            "containerStatuses": [running | {"image": "none", "imageID": ""}],
        }
        await set_pod_status(client, namespace, "w1", status)
        await eventually(lambda: sink.views[key].workers[0].ready, "the worker is ready")
        worker = sink.views[key].workers[0]
        assert (worker.host, worker.port, worker.stage, worker.incarnation) == (
            "10.1.2.3",
            8000,
            "started",
            1,
        )
        await client.delete(paths.pod(namespace, "w1"))
        await eventually(lambda: sink.views[key].workers == (), "the worker is gone")


async def test_what_was_deleted_and_made_while_the_watch_was_broken_is_noticed(
    client: KubeClient, proxied: KubeClient, proxy: CuttableProxy, namespace: str
) -> None:
    kept, gone, new = (ServiceKey(namespace, name) for name in ("kept", "gone", "new"))
    for key in (kept, gone):
        await create_service(client, namespace, key.name)
    await create_pod(client, namespace, "kept", "w1")
    async with watching(proxied) as sink:
        await proxy.cut(refuse=True)
        await client.delete(paths.inference_service(namespace, "gone"))
        await client.delete(paths.pod(namespace, "w1"))
        await create_service(client, namespace, "new")
        assert kept in sink.views
        assert gone in sink.views
        proxy.mend()
        await eventually(lambda: new in sink.views and gone not in sink.views, "it has caught up")
        await eventually(lambda: sink.views[kept].workers == (), "the worker is gone")
        assert sink.log.count("synced") == 1


async def test_a_frozen_connection_is_noticed_and_replaced(
    client: KubeClient, proxied: KubeClient, proxy: CuttableProxy, namespace: str
) -> None:
    async with watching(proxied) as sink:
        proxy.freeze()
        await create_service(client, namespace, "qwen")
        before = proxy.opened
        await eventually(lambda: proxy.opened > before, "it has given the connection up")
        proxy.mend()
        await eventually(lambda: ServiceKey(namespace, "qwen") in sink.views, "it has caught up")


async def test_the_last_snapshot_stays_while_the_api_server_is_down(
    server: ApiServer, client: KubeClient, namespace: str
) -> None:
    key = ServiceKey(namespace, "qwen")
    await create_service(client, namespace, "qwen")
    async with watching(client) as sink:
        server.kill_api_server()
        with pytest.raises(WakeError, match="cannot be woken while the API server is away"):
            await GatewaySubstrate(client).wake(key)
        assert key in sink.views
        restart(server)
        await client.get(
            paths.inference_service(namespace, "qwen")
        )  # its old connections are seen to be gone
        await client.delete(paths.inference_service(namespace, "qwen"))
        await eventually(lambda: key not in sink.views, "it has caught up")


async def test_a_service_that_the_crd_lets_through_and_we_cannot_read_is_skipped(
    client: KubeClient, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An object from before a stricter schema: written while the CRD said less."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.tidegate.io"
    crd = await client.get(path)
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    operations = [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": open_schema}]
    await client.json_patch(path, operations, field_manager=MANAGER)
    try:
        await eventually(lambda: _accepts_nonsense(client, namespace), "the API server takes nonsense")
        await create_service(client, namespace, "good")
        with caplog.at_level(logging.WARNING):
            async with watching(client) as sink:
                assert ServiceKey(namespace, "good") in sink.views
                assert ServiceKey(namespace, "nonsense") not in sink.views
        complaints = [record.getMessage() for record in caplog.records if "nonsense" in record.getMessage()]
        assert len(complaints) == 1
        assert "maxConcurrency" in complaints[0]
    finally:
        await client.delete(paths.inference_service(namespace, "nonsense"))
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        await client.json_patch(path, [operations[0] | {"value": schema}], field_manager=MANAGER)
        await eventually(lambda: _refuses_nonsense(client, namespace), "the API server refuses it again")


async def _accepts_nonsense(client: KubeClient, namespace: str) -> bool:
    try:
        await create_service(client, namespace, "nonsense", engine={"maxConcurrency": "many"})
    except Exception as error:  # noqa: BLE001
        return "already exists" in str(error)
    return True


async def _refuses_nonsense(client: KubeClient, namespace: str) -> bool:
    """Whether the schema is the one that other tests count on; in between every request is refused (429)."""
    manifest = service_manifest(namespace, "nonsense", engine={"maxConcurrency": "many"})
    path = f"{paths.inference_services(namespace)}?dryRun=All"
    try:
        await client.create(path, manifest, field_manager=MANAGER)
    except InvalidError:
        return True
    except KubeError:
        return False
    return False


async def test_a_wake_raises_zero_to_one_and_leaves_more_alone(client: KubeClient, namespace: str) -> None:
    substrate = GatewaySubstrate(client)
    for service, before, after in (("asleep", 0, 1), ("one", 1, 1), ("many", 3, 3)):
        await create_deployment(client, namespace, service, before)
        await substrate.wake(ServiceKey(namespace, service))
        assert await replicas(client, namespace, service) == after


async def test_wakes_at_the_same_instant_are_one_wake(client: KubeClient, namespace: str) -> None:
    await create_deployment(client, namespace, "qwen")
    key = ServiceKey(namespace, "qwen")
    await asyncio.gather(*(GatewaySubstrate(client).wake(key) for _ in range(20)))
    deployment = await client.get(paths.deployment(namespace, "qwen-worker"))
    assert deployment["spec"]["replicas"] == 1
    assert deployment["metadata"]["generation"] == 2


async def test_a_wake_without_a_deployment_says_what_to_look_for(client: KubeClient, namespace: str) -> None:
    with pytest.raises(WakeError, match=r"has no Deployment qwen-worker to wake yet; .*operator"):
        await GatewaySubstrate(client).wake(ServiceKey(namespace, "qwen"))


async def test_it_lists_anew_when_it_is_time_and_says_nothing_twice(
    client: KubeClient, namespace: str
) -> None:
    key = ServiceKey(namespace, "qwen")
    await create_service(client, namespace, "qwen")
    quick = Pace(relist=0, retry=0.05, retry_limit=0.1)
    async with watching(client, quick) as sink:
        before = len(sink.log)
        await asyncio.sleep(0.5)  # some ten listings
        assert len(sink.log) == before
        await client.delete(paths.inference_service(namespace, "qwen"))
        await eventually(lambda: key not in sink.views, "a listing without it removes it")
