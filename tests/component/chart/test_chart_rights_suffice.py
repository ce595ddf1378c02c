"""The whole operator and the gateway's substrate with the chart's own accounts.

Nothing is refused to them, and no right is idle: the API server's audit log is the judge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.component.chart.audit import Json, Right, entries_of, granted, refused, requests_of, roles_of, used
from tests.component.chart.conftest import NAMESPACE, token_of
from tests.component.chart.helm import Helm
from tests.component.kube.https import authority_of
from tests.component.kube.objects import MANAGER, create_pod, create_service, replicas, set_pod_status
from tests.component.kube.test_node_labels_on_api_server import kubelet, node
from tests.component.kube.wire import eventually
from tests.component.operator.harness import ready_status
from tests.unit.kube.fakes import RecordingSink
from tidegate.controller.app import OperatorSettings, run
from tidegate.devcluster import ApiServer
from tidegate.devcluster.ports import free_ports
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import NotFoundError
from tidegate.kube.gateway_substrate import GatewaySubstrate
from tidegate.kube.territory import territory
from tidegate.resources.deployment import WorkerImages

SECRET = paths.secret(NAMESPACE, "tidegate-webhook-tls")


def kubeconfig_with(server: ApiServer, token: str, folder: Path) -> Path:
    """A kubeconfig with nothing but this token."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = folder / "token.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@asynccontextmanager
async def operator_running(namespace: str = NAMESPACE, **more: Any) -> AsyncIterator[None]:
    metrics, health, webhook = free_ports(3)
    settings = OperatorSettings(
        namespace=namespace,
        images=WorkerImages(cpu="none:1", cuda="none:2"),
        host="127.0.0.1",
        metrics_port=metrics,
        health_port=health,
        webhook_port=webhook,
        resync_seconds=1,
        event_repeat_seconds=1,
        **more,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run(settings, stop))
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        stop.set()
        await task


@pytest.fixture(autouse=True)
def _as_the_operator(
    server: ApiServer, admin: httpx.Client, installed: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From here on this process reaches the cluster as the operator's pod would."""
    kubeconfig = kubeconfig_with(server, token_of(admin, "tidegate-operator"), tmp_path)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))


async def test_the_rights_suffice_and_each_is_used(
    server: ApiServer, installed: Helm, as_admin: KubeClient, as_gateway: KubeClient, tmp_path: Path
) -> None:
    await broken_secret(as_admin)
    async with (
        kubelet(authority_of(server.plane.state.pki, tmp_path), "static") as port,
        operator_running(),
    ):
        await node(as_admin, "n", port)
        served = territory(as_gateway, None, NAMESPACE)
        await the_life_of_a_service(as_admin, GatewaySubstrate(as_gateway, territory=served))
        await eventually(lambda: _labelled(as_admin), "the node is labelled")
        await eventually(lambda: _has_a_certificate(as_admin), "the broken certificate is replaced")
    await as_admin.delete(SECRET)
    async with operator_running():
        await eventually(lambda: _has_a_certificate(as_admin), "a certificate is made")
        requests = await audited(server, roles_of(installed.template()), NAMESPACE, NOT_SEEN_HERE)
    assert refused(requests) == []
    assert set(granted(roles_of(installed.template()))) - used(requests) == NOT_SEEN_HERE


async def audited(server: ApiServer, roles: list[Json], namespace: str, idle: set[Right]) -> list[Json]:
    """What the accounts of an installation have asked when each right was used: the operator writes its
    webhooks after its certificate, and an answer may be there before its entry in the log."""

    def requests() -> list[Json]:
        return requests_of(entries_of(server.audit_log), namespace)

    await eventually(lambda: set(granted(roles)) - used(requests()) <= idle, "no right is idle")
    return requests()


# Only a kubelet can see the first. The second needs several workers, one busier than another: see
# tests/component/operator. The others wait for a name that is taken by somebody else.
NOT_SEEN_HERE = {
    ("tidegate-operator", "get", "/nodes/configz"),
    ("tidegate-operator", "patch", "/pods/status"),
    ("tidegate-operator", "get", "/services"),
    ("tidegate-operator", "get", "policy/poddisruptionbudgets"),
}


async def the_life_of_a_service(
    admin: KubeClient, gateway: GatewaySubstrate, namespace: str = "default"
) -> None:
    """Made, woken by the gateway, changed, put to sleep by the operator."""
    key = ServiceKey(namespace, "qwen")
    sink = RecordingSink()
    watch = asyncio.create_task(gateway.watch(sink))
    try:
        await create_service(admin, *_names(key), scaling={"idleTimeoutSeconds": 60})
        await eventually(lambda: _exists(admin, key), "the Deployment is made")
        await gateway.wake(key)
        assert await replicas(admin, *_names(key)) == 1
        await create_pod(admin, *_names(key), "w1")
        await eventually(lambda: key in sink.views and bool(sink.views[key].workers), "the gateway sees both")
        patch = {"spec": {"engine": {"maxConcurrency": 7}}}
        path = paths.inference_service(*_names(key))
        await admin.merge_patch(path, patch, field_manager=MANAGER)
        await eventually(lambda: _has_seven(admin, key), "the change arrives")
        service = paths.service(*_names(key))
        drift = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}
        await admin.merge_patch(service, drift, field_manager=MANAGER)
        await a_budget_comes_and_goes(admin, key)
        suspended = {"spec": {"suspend": True}}
        await admin.merge_patch(path, suspended, field_manager=MANAGER)
        await eventually(lambda: _asleep(admin, key), "it is put to sleep")
        await admin.merge_patch(path, {"spec": {"suspend": False}}, field_manager=MANAGER)
        await eventually(lambda: _idle(admin, key), "it can be woken again")
        await gateway.wake(key)
        await eventually(lambda: _woken(admin, key), "it is told that it was woken again")
        await set_pod_status(admin, key.namespace, "w1", ready_status(time.time()))
        await eventually(lambda: _start_is_told(admin, key), "its cold start is told in parts")
        await admin.merge_patch(path, suspended, field_manager=MANAGER)
        await eventually(
            lambda: _event_counts(admin, key), "the second sleep counts in the first one's Event"
        )
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _idle(admin: KubeClient, key: ServiceKey) -> bool:
    condition = (await admin.get(paths.inference_service(*_names(key))))["status"]["conditions"][0]
    return bool(condition["reason"] != "Suspended")


async def _woken(admin: KubeClient, key: ServiceKey) -> bool:
    return bool((await admin.get(paths.inference_service(*_names(key))))["status"]["scaling"]["desired"])


async def _start_is_told(admin: KubeClient, key: ServiceKey) -> bool:
    status = (await admin.get(paths.inference_service(*_names(key))))["status"]
    return "parts" in status.get("coldStarts", {})


async def _event_counts(admin: KubeClient, key: ServiceKey) -> bool:
    found, _ = await admin.list_all(paths.events(key.namespace))
    return any(each["reason"] == "Asleep" and each.get("series") for each in found)


async def a_budget_comes_and_goes(admin: KubeClient, key: ServiceKey) -> None:
    """A second worker is allowed, somebody spoils the budget, and it is allowed no more."""
    path = paths.pod_disruption_budget(key.namespace, f"{key.name}-worker")
    service = paths.inference_service(*_names(key))

    async def one_at_a_time() -> bool:
        try:
            return bool((await admin.get(path))["spec"].get("maxUnavailable") == 1)
        except NotFoundError:
            return False

    async def gone() -> bool:
        return not await one_at_a_time()

    await admin.merge_patch(service, {"spec": {"scaling": {"maxReplicas": 2}}}, field_manager=MANAGER)
    await eventually(one_at_a_time, "the budget is made")
    await admin.merge_patch(path, {"spec": {"maxUnavailable": 0}}, field_manager=MANAGER)
    await eventually(one_at_a_time, "it is corrected")
    await admin.merge_patch(service, {"spec": {"scaling": {"maxReplicas": 1}}}, field_manager=MANAGER)
    await eventually(gone, "it is taken away")


async def broken_secret(admin: KubeClient) -> None:
    """What a foreign hand may leave behind."""
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "tidegate-webhook-tls"},
        "data": {"tls.crt": "", "tls.key": ""},
    }
    await admin.create(paths.secrets(NAMESPACE), body, field_manager=MANAGER)


async def _has_a_certificate(admin: KubeClient) -> bool:
    try:
        return bool((await admin.get(SECRET))["data"]["tls.crt"])
    except NotFoundError:
        return False


def _names(key: ServiceKey) -> tuple[str, str]:
    return key.namespace, key.name


async def _exists(client: KubeClient, key: ServiceKey) -> bool:
    try:
        await replicas(client, *_names(key))
    except NotFoundError:
        return False
    return True


async def _has_seven(client: KubeClient, key: ServiceKey) -> bool:
    deployment = await client.get(paths.deployment(key.namespace, f"{key.name}-worker"))
    return "7" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]


async def _asleep(client: KubeClient, key: ServiceKey) -> bool:
    return await replicas(client, *_names(key)) == 0


async def _labelled(client: KubeClient) -> bool:
    labels = (await client.get(paths.node("n")))["metadata"].get("labels") or {}
    return bool(labels.get("tidegate.io/cpu-manager-policy") == "static")
