"""A real API server with our CRD for the session, and clients of it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from tests.component.discovery import discovered, explained, until
from tests.component.kube.webhooks import Installation
from tests.component.kube.wire import CuttableProxy
from tidegate.devcluster import ApiServer, api_server
from tidegate.devcluster.apiclient import admin_client, apply
from tidegate.kube.client import Budgets, KubeClient

CRDS = Path("crds")
PATIENT = Budgets(call=60)  # a busy machine is no defect
HURRIED = Budgets(call=8, watch=60, silence=5)  # through the proxy, which may stop to pass anything on


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        with admin_client(running.plane.state.pki, running.url) as client:
            for path in CRDS.glob("*.yaml"):
                apply(client, yaml.safe_load(path.read_text()))
            until(lambda: discovered(client) and explained(client), "the CRD is served")
        yield running


def kubeconfig_for(server: ApiServer, folder: Path, url: str | None = None) -> Path:
    """The administrator's kubeconfig, with another address where one is given."""
    config = yaml.safe_load(server.kubeconfig.read_text())
    if url:
        config["clusters"][0]["cluster"]["server"] = url
    file = folder / f"{uuid.uuid4().hex}.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def _outside_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


@pytest.fixture
async def client(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _outside_a_pod: None
) -> AsyncIterator[KubeClient]:
    """The administrator, straight to the API server."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig_for(server, tmp_path)))
    async with await KubeClient.connect(PATIENT) as connected:
        yield connected


@pytest.fixture
async def proxy(server: ApiServer) -> AsyncIterator[CuttableProxy]:
    """A TCP proxy before the API server that can be cut."""
    async with CuttableProxy(server.plane.address, server.plane.port) as running:
        yield running


@pytest.fixture
async def proxied(
    proxy: CuttableProxy,
    server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    _outside_a_pod: None,
) -> AsyncIterator[KubeClient]:
    """The administrator, through the proxy."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig_for(server, tmp_path, f"https://127.0.0.1:{proxy.port}")))
    async with await KubeClient.connect(HURRIED) as connected:
        yield connected


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    """A namespace of the test's own. Nothing takes it away: the server goes with the session."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.create("/api/v1/namespaces", body, field_manager="tests")
    return name


@pytest.fixture
async def installation(client: KubeClient, namespace: str) -> AsyncIterator[Installation]:
    """The webhooks' configurations for that namespace; nothing serves them yet."""
    made = Installation(client, namespace)
    await made.install()
    try:
        yield made
    finally:
        await made.uninstall()
