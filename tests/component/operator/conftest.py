"""A real API server with our CRD for the session, and one operator for each module that wants it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.component.discovery import discovered, explained, until
from tests.component.operator.harness import (
    FakeWorker,
    Operator,
    World,
    api_proxy,
    played_parts,
    running_operator,
)
from tests.unit.controller.streams import FakeGateway
from tidegate.devcluster import ApiServer, api_server
from tidegate.devcluster.apiclient import admin_client, apply
from tidegate.kube.client import Budgets, KubeClient


@pytest.fixture(scope="session")
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        with admin_client(running.plane.state.pki, running.url) as client:
            for path in Path("crds").glob("*.yaml"):
                apply(client, yaml.safe_load(path.read_text()))
            until(lambda: discovered(client) and explained(client), "the CRD is served")
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kube(server: ApiServer) -> AsyncIterator[KubeClient]:
    """The administrator, straight to the API server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(server.kubeconfig))
        patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        client = await KubeClient.connect(Budgets(call=60))  # a busy machine is no defect
    async with client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def world(kube: KubeClient) -> AsyncIterator[World]:
    """A namespace of the test's own; at its end there is nothing in it that an operator would look after."""
    name = f"t-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await kube.create("/api/v1/namespaces", body, field_manager="tests")
    world = World(kube, name)
    yield world
    await world.leave()


@dataclass
class Stage:
    """The operator of a module, and the parts that are played around it."""

    operator: Operator
    gateway: FakeGateway
    worker: FakeWorker
    isolation_port: int  # where the worker tells of its cores


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    server: ApiServer, kube: KubeClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """One operator for all tests of a module."""
    folder = tmp_path_factory.mktemp("operator")
    async with (
        played_parts(kube) as (gateway, worker, settings),
        api_proxy(server) as proxy,
        running_operator(proxy, folder, **settings) as operator,
    ):
        yield Stage(operator, gateway, worker, settings["isolation_port"])
