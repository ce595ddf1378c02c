"""Node labels, from a kubelet's own mouth to the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.component.kube.https import authority_of, https_server
from tests.component.kube.objects import MANAGER
from tidegate.controller.nodes import NodeLabels
from tidegate.devcluster import ApiServer
from tidegate.devcluster.certificates import Authority, new_authority
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.kubelet import Kubelets

LABEL = "tidegate.io/cpu-manager-policy"


@asynccontextmanager
async def kubelet(authority: Authority, policy: str) -> AsyncIterator[int]:
    async def handler(request: web.BaseRequest) -> web.Response:
        assert request.path == "/configz"
        return web.json_response({"kubeletconfig": {"cpuManagerPolicy": policy}})

    async with https_server(authority, handler) as port:
        yield port


async def node(client: KubeClient, name: str, port: int, **labels: str) -> Json:
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    await client.create(paths.NODES, body, field_manager=MANAGER)
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    path = f"{paths.node(name)}/status"
    return await client.merge_patch(path, {"status": status}, field_manager=MANAGER)


async def label_and_version(client: KubeClient, name: str) -> tuple[str | None, str]:
    metadata = (await client.get(paths.node(name)))["metadata"]
    return (metadata.get("labels") or {}).get(LABEL), metadata["resourceVersion"]


@pytest.fixture
def authority(server: ApiServer, tmp_path: Path) -> Authority:
    return authority_of(server.plane.state.pki, tmp_path)


async def test_a_kubelet_that_the_clusters_authority_signed_is_believed(
    client: KubeClient, authority: Authority
) -> None:
    async with kubelet(authority, "static") as port:
        seen = await node(client, "signed", port)
        labels = NodeLabels(client, Kubelets(client))
        await labels.node_seen(seen)
        label, version = await label_and_version(client, "signed")
        assert label == "static"
        await labels.node_seen(await client.get(paths.node("signed")))
        await labels.reconcile_node(await client.get(paths.node("signed")))
        assert (await label_and_version(client, "signed"))[1] == version


async def test_a_self_signed_kubelet_is_unknown_unless_the_administrator_says_otherwise(
    client: KubeClient, tmp_path: Path
) -> None:
    folder = tmp_path / "itself"
    folder.mkdir()
    async with kubelet(new_authority(folder), "none") as port:
        bare = await node(client, "bare", port)
        labelled = await node(client, "labelled", port, **{LABEL: "static"})
        labels = NodeLabels(client, Kubelets(client))
        for seen in (bare, labelled):
            await labels.node_seen(seen)
        assert (await label_and_version(client, "bare"))[0] == "unknown"
        assert (await label_and_version(client, "labelled"))[0] == "static"
        await NodeLabels(client, Kubelets(client, insecure=True)).node_seen(bare)
        assert (await label_and_version(client, "bare"))[0] == "none"
