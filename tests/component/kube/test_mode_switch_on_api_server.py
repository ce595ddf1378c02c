"""scaling.mode there and back, with kubectl and as GitOps writes it: whose spec.replicas is, and how many."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.component.kube.kubectl import Kubectl, KubectlError, manifest
from tests.component.kube.objects import worker_deployment
from tests.component.kube.webhooks import Installation, running
from tidegate.controller.world import World
from tidegate.devcluster import ApiServer
from tidegate.kube.cache import Kind

EXTERNAL = '{"spec": {"scaling": {"mode": "External"}}}'
MANAGED = '{"spec": {"scaling": {"mode": "Managed"}}}'
ARGO = ("apply", "--server-side", "-f", "-", "--field-manager=argocd-controller")


def running_workers(namespace: str, count: int) -> World:
    """What the operator knows: a service with so many workers."""
    world = World(128)
    deployment = worker_deployment(namespace, "qwen", count)
    deployment["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    deployment["metadata"]["labels"] = {"tidegate.io/inferenceservice": "qwen"}
    world.cache.put(Kind.DEPLOYMENT, deployment)
    return world


async def _replicas(kubectl: Kubectl) -> Any:
    return (await kubectl.live())["spec"].get("replicas")


async def _owners(kubectl: Kubectl) -> list[tuple[str, str]]:
    """Manager and subresource of each that owns spec.replicas."""
    live = json.loads(await kubectl("get", "infsvc", "qwen", "-o", "json", "--show-managed-fields"))
    found: list[dict[str, Any]] = live["metadata"]["managedFields"]
    return [
        (each["manager"], each.get("subresource", ""))
        for each in found
        if "f:replicas" in each["fieldsV1"].get("f:spec", {})
    ]


@pytest.fixture
def kubectl(server: ApiServer, namespace: str) -> Kubectl:
    return Kubectl(server.kubeconfig, namespace)


async def test_the_mode_alone_is_enough_there_and_back_and_the_number_stays(
    kubectl: Kubectl, installation: Installation, namespace: str
) -> None:
    async with running(installation, world=running_workers(namespace, 4)):
        await kubectl("create", "-f", "-", text=manifest(namespace))
        told = await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", EXTERNAL)
        assert "Warning: spec.replicas: set to 4" in told
        assert await _replicas(kubectl) == 4
        assert await _owners(kubectl) == [], "so whoever scales meets no conflict"
        await kubectl("scale", "infsvc", "qwen", "--replicas=2")
        assert await _replicas(kubectl) == 2
        told = await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", MANAGED)
        assert "Warning: spec.scaling.mode: tidegate sets the number of workers from now on" in told
        assert await _replicas(kubectl) is None
        await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", EXTERNAL)
        assert await _replicas(kubectl) == 4, "the workers there are, not what was wanted long ago"


async def test_a_manifest_without_a_number_leaves_it_to_the_autoscaler_however_often_it_is_applied(
    kubectl: Kubectl, installation: Installation, namespace: str
) -> None:
    text = manifest(namespace, scaling={"mode": "External"})
    async with running(installation, world=running_workers(namespace, 2)):
        for apply in (ARGO, ("apply", "-f", "-")):
            await kubectl(*apply, text=text)
            begun = await _replicas(kubectl)
            assert begun == 1, "as a Deployment begins"
            await kubectl(*apply, text=text)
            assert await _owners(kubectl) == []
            await kubectl("scale", "infsvc", "qwen", "--replicas=6")
            version = (await kubectl.live())["metadata"]["resourceVersion"]
            await kubectl(*apply, text=text)
            live = await kubectl.live()
            assert (live["spec"]["replicas"], live["metadata"]["resourceVersion"]) == (6, version)
            await kubectl(*apply, text=manifest(namespace, scaling={"mode": "Managed"}))
            assert await _replicas(kubectl) is None, "whose manifest never knew the number need not remove it"
            await kubectl("delete", "infsvc", "qwen")


async def test_a_number_that_was_written_belongs_to_whoever_scaled_last(
    kubectl: Kubectl, namespace: str
) -> None:
    text = manifest(namespace, replicas=1, scaling={"mode": "External"})
    await kubectl(*ARGO, text=text)
    assert await _owners(kubectl) == [("argocd-controller", "")]
    await kubectl("scale", "infsvc", "qwen", "--replicas=2")
    assert await _owners(kubectl) == [("kubectl", "scale")]
    with pytest.raises(KubectlError, match='conflict with "kubectl" with subresource "scale"'):
        await kubectl(*ARGO, text=text)


async def test_who_states_a_number_in_his_manifest_is_told_at_once_that_it_cannot_stay(
    kubectl: Kubectl, installation: Installation, namespace: str
) -> None:
    external = manifest(namespace, replicas=2, scaling={"mode": "External"})
    async with running(installation, world=running_workers(namespace, 2)):
        for apply in (ARGO, ("apply", "-f", "-")):
            await kubectl(*apply, text=external)
            with pytest.raises(KubectlError, match=r"replicas cannot be set while scaling\.mode is Managed"):
                await kubectl(*apply, text=manifest(namespace, replicas=2, scaling={"mode": "Managed"}))
            await kubectl(*apply, text=manifest(namespace, scaling={"mode": "Managed"}))
            assert await _replicas(kubectl) is None
            await kubectl("delete", "infsvc", "qwen")


async def test_a_replace_or_a_null_keeps_the_number(
    kubectl: Kubectl, installation: Installation, namespace: str
) -> None:
    text = manifest(namespace, scaling={"mode": "External"})
    async with running(installation, world=running_workers(namespace, 2)):
        await kubectl("create", "-f", "-", text=text)
        await kubectl("scale", "infsvc", "qwen", "--replicas=5")
        await kubectl("replace", "-f", "-", text=text)
        assert await _replicas(kubectl) == 5
        await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", '{"spec": {"replicas": null}}')
        assert await _replicas(kubectl) == 5


async def test_without_the_webhook_each_switch_is_refused_with_what_to_write(
    kubectl: Kubectl, namespace: str
) -> None:
    await kubectl("create", "-f", "-", text=manifest(namespace))
    with pytest.raises(KubectlError, match=r"replicas must be set while scaling\.mode is External.*how many"):
        await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", EXTERNAL)
    both = '{"spec": {"replicas": 2, "scaling": {"mode": "External"}}}'
    await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", both)
    with pytest.raises(KubectlError, match=r"(?s)leave mode External, set replicas to null"):
        await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", MANAGED)
    back = '{"spec": {"replicas": null, "scaling": {"mode": "Managed"}}}'
    await kubectl("patch", "infsvc", "qwen", "--type=merge", "-p", back)
    assert await _replicas(kubectl) is None
