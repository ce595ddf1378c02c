"""What the chart's two accounts may do, tried with their own tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count

import httpx
import pytest

from tests.component.chart.conftest import NAMESPACE
from tests.component.chart.helm import Helm
from tests.component.kube.objects import (
    MANAGER,
    create_deployment,
    create_pod,
    create_service,
    replicas,
    template,
)
from tests.component.kube.wire import eventually
from tests.unit.kube.fakes import RecordingSink
from tidegate.controller.webhook_tls import TlsNames, WebhookTls
from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError
from tidegate.kube.gateway_substrate import GatewaySubstrate

LABEL = "tidegate.io/cpu-manager-policy"


@pytest.fixture(autouse=True)
async def _policies_hold(as_admin: KubeClient, as_gateway: KubeClient, as_operator: KubeClient) -> None:
    """An admission policy takes a moment until the API server knows of it."""
    name = "policy-probe"
    path = paths.deployment_scale("default", f"{name}-worker")
    try:
        await as_admin.get(path)
    except KubeError:
        await create_deployment(as_admin, "default", name, replicas=1)

    async def refused() -> bool:
        try:
            await as_gateway.merge_patch(path, {"spec": {"replicas": 2}}, field_manager=MANAGER)
        except ForbiddenError:
            return True
        await as_admin.merge_patch(path, {"spec": {"replicas": 1}}, field_manager=MANAGER)
        return False

    await eventually(refused, "the gateway's policy is in force")
    await _node_policy_holds(as_admin, as_operator)


async def _node_policy_holds(as_admin: KubeClient, as_operator: KubeClient) -> None:
    path = paths.node("policy-probe")
    try:
        await as_admin.get(path)
    except KubeError:
        await node(as_admin, "policy-probe")
    tries = count()

    async def refused() -> bool:
        try:
            change = {"metadata": {"annotations": {"other": str(next(tries))}}}  # no change may pass
            await as_operator.merge_patch(path, change, field_manager=MANAGER)
        except ForbiddenError:
            return True
        return False

    await eventually(refused, "the operator's policy is in force")


async def namespace(client: KubeClient, name: str) -> str:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.create("/api/v1/namespaces", body, field_manager=MANAGER)
    return name


async def scale(client: KubeClient, where: str, service: str, count: int) -> None:
    path = paths.deployment_scale(where, f"{service}-worker")
    await client.merge_patch(path, {"spec": {"replicas": count}}, field_manager=MANAGER)


async def test_the_gateway_wakes_with_its_own_rights(as_admin: KubeClient, as_gateway: KubeClient) -> None:
    where = await namespace(as_admin, "wakes")
    await create_deployment(as_admin, where, "qwen")
    await GatewaySubstrate(as_gateway).wake(ServiceKey(where, "qwen"))
    await GatewaySubstrate(as_gateway).wake(ServiceKey(where, "qwen"))
    assert await replicas(as_admin, where, "qwen") == 1


@pytest.mark.parametrize(("before", "after"), [(0, 2), (1, 2), (1, 0), (2, 1), (3, 0)])
async def test_the_gateway_scales_from_zero_to_one_and_no_other_way(
    as_admin: KubeClient, as_gateway: KubeClient, before: int, after: int
) -> None:
    service = f"from{before}to{after}"
    await create_deployment(as_admin, "default", service, before)
    with pytest.raises(ForbiddenError, match=f"only scale from 0 to 1, not from {before} to {after}"):
        await scale(as_gateway, "default", service, after)
    await scale(as_gateway, "default", service, before)
    assert await replicas(as_admin, "default", service) == before


async def test_the_gateway_touches_no_foreign_deployment(
    as_admin: KubeClient, as_gateway: KubeClient
) -> None:
    labels = {"app": "foreign"}
    pod = template("x")
    pod["metadata"]["labels"] = labels
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "foreign-worker"},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
    }
    await as_admin.create(paths.deployments("default"), body, field_manager=MANAGER)
    with pytest.raises(ForbiddenError, match="only scale the Deployments of InferenceServices"):
        await scale(as_gateway, "default", "foreign", 1)
    with pytest.raises(WakeError, match="may not scale foreign-worker in default"):
        await GatewaySubstrate(as_gateway).wake(ServiceKey("default", "foreign"))


async def test_the_policy_holds_nobody_but_the_gateway(as_admin: KubeClient) -> None:
    await create_deployment(as_admin, "default", "free", 3)
    await scale(as_admin, "default", "free", 0)
    assert await replicas(as_admin, "default", "free") == 0


async def test_the_gateway_sees_all_it_must_with_its_own_rights(
    as_admin: KubeClient, as_gateway: KubeClient
) -> None:
    where = await namespace(as_admin, "seen")
    await create_service(as_admin, where, "qwen")
    await create_pod(as_admin, where, "qwen", "w1")
    sink, key = RecordingSink(), ServiceKey(where, "qwen")
    task = asyncio.create_task(GatewaySubstrate(as_gateway).watch(sink))
    try:
        await eventually(lambda: key in sink.views and len(sink.views[key].workers) == 1, "it sees both")
        await as_admin.delete(paths.pod(where, "w1"))
        await eventually(lambda: sink.views[key].workers == (), "it follows both")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def node(client: KubeClient, name: str) -> str:
    body: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kept": "yes"}}}
    await client.create(paths.NODES, body, field_manager=MANAGER)
    return paths.node(name)


async def test_the_operator_sets_and_takes_back_its_one_label(
    as_admin: KubeClient, as_operator: KubeClient
) -> None:
    path = await node(as_admin, "ours")
    for value in ("static", "none", "unknown", None):
        patch = {"metadata": {"labels": {LABEL: value}}}
        patched = await as_operator.merge_patch(path, patch, field_manager=MANAGER)
        assert patched["metadata"]["labels"].get(LABEL) == value


@pytest.mark.parametrize(
    ("number", "patch"),
    list(
        enumerate(
            [
                {"metadata": {"labels": {LABEL: "fast"}}},
                {"metadata": {"labels": {"other": "x"}}},
                {"metadata": {"labels": {"kept": "no"}}},
                {"metadata": {"labels": {"kept": None}}},
                {"metadata": {"labels": {LABEL: "static", "other": "x"}}},
                {"metadata": {"annotations": {"a": "b"}}},
                {"metadata": {"finalizers": ["a.example/b"]}},
                {"spec": {"unschedulable": True}},
                {"spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}},
            ]
        )
    ),
)
async def test_the_operator_changes_nothing_else_of_a_node(
    as_admin: KubeClient, as_operator: KubeClient, number: int, patch: Json
) -> None:
    path = await node(as_admin, f"node-{number}")
    with pytest.raises(ForbiddenError, match=r"cpu-manager-policy"):
        await as_operator.merge_patch(path, patch, field_manager=MANAGER)


async def test_the_operator_looks_after_its_certificate_with_its_own_rights(
    as_admin: KubeClient, as_operator: KubeClient
) -> None:
    names = TlsNames(NAMESPACE)
    tls = WebhookTls(as_operator, names)
    await tls.ensure(datetime(2026, 1, 1, tzinfo=UTC))
    made = await as_admin.get(paths.secret(NAMESPACE, names.secret))
    owner = await as_admin.get(paths.deployment(NAMESPACE, "tidegate-operator"))
    assert made["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    await tls.ensure(datetime(2026, 10, 1, tzinfo=UTC))
    renewed = await as_admin.get(paths.secret(NAMESPACE, names.secret))
    assert renewed["data"]["tls.crt"] != made["data"]["tls.crt"]
    for path in (paths.mutating_webhook_configuration, paths.validating_webhook_configuration):
        configuration = await as_admin.get(path("tidegate"))
        assert configuration["webhooks"][0]["clientConfig"]["caBundle"] == renewed["data"]["ca.crt"]


MAY = [
    ("gateway", "list", "tidegate.io/inferenceservices", ""),
    ("gateway", "watch", "/pods", ""),
    ("gateway", "patch", "apps/deployments/scale", ""),
    ("operator", "watch", "tidegate.io/inferenceservices", ""),
    ("operator", "patch", "tidegate.io/inferenceservices/status", ""),
    ("operator", "create", "apps/deployments", ""),
    ("operator", "patch", "apps/deployments", ""),
    ("operator", "update", "apps/deployments/scale", ""),
    ("operator", "patch", "/services", ""),
    ("operator", "delete", "policy/poddisruptionbudgets", ""),
    ("operator", "list", "/pods", ""),
    ("operator", "get", "/nodes/configz", ""),
    ("operator", "patch", "/pods/status", ""),
]
MAY_NOT = [
    ("gateway", "patch", "apps/deployments", ""),
    ("gateway", "get", "/secrets", ""),
    ("gateway", "list", "/nodes", ""),
    ("gateway", "patch", "tidegate.io/inferenceservices", ""),
    ("gateway", "create", "/pods", ""),
    ("gateway", "create", "/pods/exec", ""),
    ("operator", "get", "/nodes/proxy", ""),
    ("operator", "patch", "/nodes/status", ""),
    ("operator", "list", "/secrets", ""),
    ("operator", "get", "/secrets", "some-other"),
    ("operator", "delete", "apps/deployments", ""),
    ("operator", "delete", "/services", ""),
    ("operator", "create", "/pods", ""),
    ("operator", "patch", "/pods", ""),
    ("operator", "update", "/pods/status", ""),
    ("operator", "delete", "/pods", ""),
    ("operator", "create", "/pods/exec", ""),
    ("operator", "patch", "tidegate.io/inferenceservices", ""),
    ("operator", "patch", "admissionregistration.k8s.io/mutatingwebhookconfigurations", "another"),
    ("operator", "patch", "admissionregistration.k8s.io/validatingwebhookconfigurations", "another"),
    ("operator", "create", "rbac.authorization.k8s.io/clusterroles", ""),
]


@pytest.mark.parametrize(
    ("right", "allowed"), [*((right, True) for right in MAY), *((right, False) for right in MAY_NOT)], ids=str
)
def test_the_rights_are_those_and_no_others(
    installed: Helm, admin: httpx.Client, right: tuple[str, str, str, str], allowed: bool
) -> None:
    account, verb, what, name = right
    group, _, resource = what.partition("/")
    resource, _, subresource = resource.partition("/")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "name": name,
        "namespace": NAMESPACE,
    }
    spec = {"user": f"system:serviceaccount:{NAMESPACE}:tidegate-{account}", "resourceAttributes": attributes}
    answer = admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json={"spec": spec}).json()
    assert answer["status"]["allowed"] is allowed
