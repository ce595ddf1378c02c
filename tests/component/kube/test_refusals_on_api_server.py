"""What a user reads where the validating webhook refuses or warns, and what it never stands in the way of."""

from __future__ import annotations

import asyncio

import pytest

from tests.component.kube.kubectl import Kubectl, KubectlError, manifest
from tests.component.kube.objects import create_service
from tests.component.kube.webhooks import Installation, running
from tidegate.controller.world import World
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.cache import Kind
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError

RESOURCE = "inferenceservices.tidegate.io"
CHAT = {"uri": "hf://a/b", "servedNames": ["chat"]}


@pytest.fixture
def kubectl(server: ApiServer, namespace: str) -> Kubectl:
    return Kubectl(server.kubeconfig, namespace)


async def test_a_taken_name_is_refused_with_its_holder_and_an_old_conflict_blocks_no_other_change(
    client: KubeClient, namespace: str, installation: Installation, kubectl: Kubectl
) -> None:
    world = World(128)
    async with running(installation, world=world):
        one = await create_service(client, namespace, "one", model=CHAT)
        await kubectl("apply", "-f", "-", text=manifest(namespace, model=CHAT))  # the cache knew nothing yet
        world.cache.put(Kind.INFERENCE_SERVICE, one)
        with pytest.raises(ForbiddenError, match=f"'chat' is served by {namespace}/one"):
            await create_service(client, namespace, "three", model=CHAT)
        with pytest.raises(ForbiddenError, match=f"'one' is the name of {namespace}/one"):
            await create_service(client, namespace, "three", model=CHAT | {"servedNames": ["one"]})
        await kubectl("label", RESOURCE, "qwen", "a=b")
        await kubectl("apply", "-f", "-", text=manifest(namespace, model=CHAT, suspend=True))
        finalizers = '{"metadata":{"finalizers":["example.com/held"]}}'
        await kubectl("patch", RESOURCE, "qwen", "--type=merge", "-p", finalizers)
        await kubectl("delete", RESOURCE, "qwen", "--wait=false")
        await kubectl("patch", RESOURCE, "qwen", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}')
        with pytest.raises(KubectlError, match="not found"):
            await kubectl.live()


async def test_two_creates_at_once_may_both_pass_and_neither_write_fails(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    """The gateway then gives the name to the older one: nobody is asked in the path of a write."""
    async with running(installation):
        made = await asyncio.gather(
            *(create_service(client, namespace, name, model=CHAT) for name in ("one", "two"))
        )
        assert len(made) == 2


async def test_warnings_are_shown_and_the_object_is_written(
    namespace: str, installation: Installation, kubectl: Kubectl
) -> None:
    world = World(128)
    world.nodes.put({"metadata": {"name": "n"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi"}}})
    async with running(installation, world=world):
        large = {"cpu": 64, "memory": "1Gi"}
        text = manifest(namespace, 8, resources=large, engine={"maxConcurrency": 64})
        shown = await kubectl("apply", "-f", "-", text=text)
        assert "Warning: spec.resources.cpu: no node has 64 cores to give, the largest has 4" in shown
        assert "Warning: spec.queue.maxDepth: 8 requests wait or run at most" in shown
        assert (await kubectl.live())["spec"]["resources"]["cpu"] == 64
        assert "Warning" not in await kubectl("apply", "-f", "-", text=text)


async def test_a_refused_dry_run_and_a_status_write(
    client: KubeClient, namespace: str, installation: Installation, kubectl: Kubectl
) -> None:
    world = World(128)
    async with running(installation, world=world):
        world.cache.put(Kind.INFERENCE_SERVICE, await create_service(client, namespace, "one", model=CHAT))
        with pytest.raises(KubectlError, match="is served by"):
            await kubectl("create", "--dry-run=server", "-f", "-", text=manifest(namespace, model=CHAT))
        await client.merge_patch(
            paths.inference_service_status(namespace, "one"), {"status": {"phase": "Idle"}}, field_manager="x"
        )


async def test_a_schema_error_is_the_schemas_own(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        with pytest.raises(KubeError, match=r"spec\.queue\.maxDepth"):
            await create_service(client, namespace, "wrong", queue={"maxDepth": 0})
