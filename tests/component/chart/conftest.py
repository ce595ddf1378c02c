"""helm, and an API server on which only the chart has been installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from kubernetes.aio.client.configuration import Configuration

from tests.component.chart.audit import roles_of
from tests.component.chart.effective import rights_hold
from tests.component.chart.helm import CHART, Helm, find_helm
from tests.component.chart.jobs import Jobs, played_jobs
from tests.component.discovery import discovered, until
from tidegate.devcluster import ApiServer, api_server
from tidegate.devcluster.apiclient import admin_client
from tidegate.kube.client import Budgets, KubeClient

NAMESPACE = "tidegate-system"
PATIENT = Budgets(call=60)  # a busy machine is no defect
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="session")
def helm_offline(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """helm without a cluster."""
    return Helm(find_helm(), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


@pytest.fixture(scope="module")
def admin(server: ApiServer) -> Iterator[httpx.Client]:
    """The administrator, for what a test does without an event loop."""
    with admin_client(server.plane.state.pki, server.url, timeout=60.0) as client:
        yield client


@pytest.fixture(scope="module")
def jobs(server: ApiServer) -> Iterator[Jobs]:
    """The Jobs of the release end by themselves, well unless a test says otherwise."""
    with (
        admin_client(server.plane.state.pki, server.url, timeout=60.0) as client,
        played_jobs(client, NAMESPACE) as played,
    ):
        yield played


@pytest.fixture(scope="module")
def helm(
    server: ApiServer, admin: httpx.Client, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory
) -> Helm:
    """helm for a cluster whose namespace for the release admits restricted pods only."""
    body = {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
    assert admin.post("/api/v1/namespaces", json=body).status_code == 201
    return Helm(find_helm(), tmp_path_factory.mktemp("helm"), server.kubeconfig)


@pytest.fixture(scope="module")
def installed(helm: Helm, admin: httpx.Client) -> Helm:
    """The release is there, and in force."""
    helm.install(chart=CHART)
    roles = roles_of(helm.template())
    until(lambda: discovered(admin), "the CRD is served")
    until(lambda: rights_hold(admin, roles, NAMESPACE), "the rights hold")
    return helm


def token_of(admin: httpx.Client, account: str) -> str:
    """A token of one of the chart's service accounts."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    return str(admin.post(path, json={"spec": {}}).json()["status"]["token"])


def client_with(server: ApiServer, token: str) -> KubeClient:
    """A client that is nobody but this token's owner."""
    configuration = Configuration(host=server.url, ssl_ca_cert=str(server.plane.state.pki / "ca.crt"))
    configuration.api_key["BearerToken"] = f"Bearer {token}"
    return KubeClient(configuration, PATIENT)


@pytest.fixture
async def as_gateway(server: ApiServer, admin: httpx.Client, installed: Helm) -> AsyncIterator[KubeClient]:
    """The gateway's own service account."""
    async with client_with(server, token_of(admin, "tidegate-gateway")) as client:
        yield client


@pytest.fixture
async def as_operator(server: ApiServer, admin: httpx.Client, installed: Helm) -> AsyncIterator[KubeClient]:
    """The operator's own service account."""
    async with client_with(server, token_of(admin, "tidegate-operator")) as client:
        yield client


@pytest.fixture
async def as_admin(server: ApiServer) -> AsyncIterator[KubeClient]:
    """The administrator, by certificate."""
    pki = server.plane.state.pki
    configuration = Configuration(
        host=server.url,
        ssl_ca_cert=str(pki / "ca.crt"),
        cert_file=str(pki / "admin.crt"),
        key_file=str(pki / "admin.key"),
    )
    async with KubeClient(configuration, PATIENT) as client:
        yield client
