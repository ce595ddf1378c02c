"""An installation for one namespace, by a team without a right outside of it, beside a cluster-wide one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.component.chart.audit import entries_of, granted, refused, requests_of, roles_of, used
from tests.component.chart.conftest import NAMESPACE, client_with, token_of
from tests.component.chart.effective import allowed, rights_hold
from tests.component.chart.helm import CHART, Helm, find_helm
from tests.component.chart.test_chart_rights_suffice import (
    _exists,
    audited,
    kubeconfig_with,
    operator_running,
    the_life_of_a_service,
)
from tests.component.discovery import undiscovered, until
from tests.component.kube.objects import MANAGER, create_service
from tests.component.kube.wire import eventually
from tests.unit.kube.fakes import RecordingSink
from tidegate.devcluster import ApiServer
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError
from tidegate.kube.gateway_substrate import GatewaySubstrate
from tidegate.kube.territory import territory

TEAM = "team-a"
LABEL = "tidegate.io/installation"
VALUES = ("--set", f"watchNamespace={TEAM},crds.install=false")
MERGE = {"content-type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def team(
    server: ApiServer, admin: httpx.Client, installed: Helm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Helm]:
    """helm as somebody who may do everything in the team's namespace and nothing anywhere else.

    The cluster-wide release is there already, and with it the CRD.
    """
    folder = tmp_path_factory.mktemp("team")
    body = {"metadata": {"name": TEAM, "labels": {LABEL: TEAM}}}
    admin.post("/api/v1/namespaces", json=body).raise_for_status()
    make_owner(admin)
    path = f"/api/v1/namespaces/{TEAM}/serviceaccounts/owner/token"
    token = admin.post(path, json={"spec": {}}).json()["status"]["token"]
    helm = Helm(find_helm(), folder, kubeconfig_with(server, token, folder))
    helm("upgrade", "--install", "tidegate", CHART, "--namespace", TEAM, *VALUES)
    roles = roles_of(helm.template(*VALUES, "--namespace", TEAM))
    until(lambda: rights_hold(admin, roles, TEAM), "the team's rights hold")
    yield helm
    helm("uninstall", "tidegate", "--namespace", TEAM)


def make_owner(admin: httpx.Client) -> None:
    """A service account with every right in the team's namespace."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TEAM}"
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "name": "owner", "namespace": TEAM}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "owner"}
    for path, body in (
        (f"/api/v1/namespaces/{TEAM}/serviceaccounts", {}),
        (f"{rbac}/roles", {"rules": [everything]}),
        (f"{rbac}/rolebindings", {"roleRef": role, "subjects": [subject]}),
    ):
        admin.post(path, json={"metadata": {"name": "owner"}, **body}).raise_for_status()
    anything = {"verb": "create", "group": "apps", "resource": "deployments", "namespace": TEAM}
    owner = f"system:serviceaccount:{TEAM}:owner"
    until(lambda: allowed(admin, owner, anything), "the owner's rights hold")


def token_in_team(admin: httpx.Client, account: str) -> str:
    """A token of an account of the team's installation."""
    path = f"/api/v1/namespaces/{TEAM}/serviceaccounts/{account}/token"
    return str(admin.post(path, json={"spec": {}}).json()["status"]["token"])


@pytest.fixture
async def team_gateway(server: ApiServer, admin: httpx.Client, team: Helm) -> AsyncIterator[KubeClient]:
    """The account of the team's gateway."""
    async with client_with(server, token_in_team(admin, "tidegate-gateway")) as client:
        yield client


def become(monkeypatch: pytest.MonkeyPatch, kubeconfig: Path) -> None:
    """From here on this process reaches the cluster with this kubeconfig."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))


@pytest.fixture
def _as_the_teams_operator(
    server: ApiServer, admin: httpx.Client, team: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, kubeconfig_with(server, token_in_team(admin, "tidegate-operator"), tmp_path))


@pytest.fixture
def _as_the_clusters_operator(
    server: ApiServer, admin: httpx.Client, team: Helm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, kubeconfig_with(server, token_of(admin, "tidegate-operator"), tmp_path))


async def listed_again(server: ApiServer, installation: str) -> None:
    """Returns when the operator of the installation has made two more full listings and had time to act."""

    def listings() -> int:
        requests = requests_of(entries_of(server.audit_log), installation)
        services = [each for each in requests if "/inferenceservices" in each["requestURI"]]
        return len([each for each in services if each["verb"] == "list"])

    before = listings()
    await eventually(lambda: listings() >= before + 3, "everything is listed again")


def hand_over(admin: httpx.Client, to: str | None) -> None:
    """An administrator's label on the team's namespace."""
    body = {"metadata": {"labels": {LABEL: to}}}
    admin.patch(f"/api/v1/namespaces/{TEAM}", json=body, headers=MERGE).raise_for_status()


@pytest.mark.usefixtures("_as_the_teams_operator")
async def test_without_any_right_beyond_its_namespace_services_live_there_and_every_right_is_used(
    server: ApiServer, team: Helm, as_admin: KubeClient, team_gateway: KubeClient
) -> None:
    substrate = GatewaySubstrate(team_gateway, territory=territory(team_gateway, TEAM, TEAM))
    roles = roles_of(team.template(*VALUES, "--namespace", TEAM))
    waiting_for_a_foreign_name = {
        ("tidegate-operator", "get", "/services"),
        ("tidegate-operator", "get", "policy/poddisruptionbudgets"),
    }
    async with operator_running(TEAM, watch_namespace=TEAM, webhook_config=None):
        await the_life_of_a_service(as_admin, substrate, TEAM)
        requests = await audited(server, roles, TEAM, waiting_for_a_foreign_name)
    assert refused(requests) == []
    elsewhere = [
        entry["requestURI"]
        for entry in requests
        if (entry.get("objectRef") or {}).get("namespace", TEAM) != TEAM
    ]
    assert elsewhere == []
    assert set(granted(roles)) - used(requests) == waiting_for_a_foreign_name


async def test_its_accounts_may_nothing_in_other_namespaces_and_nothing_of_the_cluster(
    team_gateway: KubeClient,
) -> None:
    for path in (
        paths.pods(),
        paths.pods(NAMESPACE),
        paths.NODES,
        paths.NAMESPACES,
        paths.namespace("default"),
    ):
        with pytest.raises(ForbiddenError):
            await team_gateway.get(path)
    assert (await team_gateway.get(paths.namespace(TEAM)))["metadata"]["name"] == TEAM


@pytest.mark.usefixtures("_as_the_teams_operator")
async def test_a_namespace_that_is_not_handed_over_is_left_alone_until_it_is(
    server: ApiServer, admin: httpx.Client, as_admin: KubeClient, team_gateway: KubeClient
) -> None:
    hand_over(admin, None)
    key, sink = ServiceKey(TEAM, "early"), RecordingSink()
    try:
        substrate = GatewaySubstrate(team_gateway, territory=territory(team_gateway, TEAM, TEAM))
        watch = asyncio.create_task(substrate.watch(sink))
        async with operator_running(TEAM, watch_namespace=TEAM, webhook_config=None):
            await create_service(as_admin, TEAM, "early")
            await listed_again(server, TEAM)
            assert not await _exists(as_admin, key)
            assert sink.views == {}
            hand_over(admin, TEAM)
            await eventually(lambda: _exists(as_admin, key), "it is made")
            await eventually(lambda: key in sink.views, "the gateway knows it")
    finally:
        hand_over(admin, TEAM)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


@pytest.mark.usefixtures("_as_the_clusters_operator")
async def test_the_cluster_wide_installation_serves_a_namespace_until_it_is_handed_away(
    server: ApiServer, admin: httpx.Client, as_admin: KubeClient, as_gateway: KubeClient
) -> None:
    sink, key = RecordingSink(), ServiceKey(TEAM, "shared")
    watched = GatewaySubstrate(as_gateway, territory=territory(as_gateway, None, NAMESPACE))
    watch = asyncio.create_task(watched.watch(sink))
    try:
        async with operator_running():
            await create_service(as_admin, TEAM, "shared")
            await listed_again(server, NAMESPACE)
            assert not await _exists(as_admin, key)
            assert key not in sink.views
            hand_over(admin, None)
            await eventually(lambda: _exists(as_admin, key), "it is made")
            await eventually(lambda: key in sink.views, "the gateway knows it")
            hand_over(admin, TEAM)
            await eventually(lambda: key not in sink.views, "the gateway has given it away")
            patch = {"spec": {"engine": {"maxConcurrency": 7}}}
            path = paths.inference_service(*(key.namespace, key.name))
            await as_admin.merge_patch(path, patch, field_manager=MANAGER)
            await listed_again(server, NAMESPACE)
            deployment = await as_admin.get(paths.deployment(TEAM, "shared-worker"))
            assert "7" not in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def test_a_missing_crd_is_told_by_the_notes_with_the_command(
    helm: Helm, team: Helm, admin: httpx.Client
) -> None:
    notes = team("upgrade", "--install", "tidegate", CHART, "--namespace", TEAM, *VALUES)
    assert "CustomResourceDefinition is missing" not in notes
    assert f"kubectl label namespace {TEAM} tidegate.io/installation={TEAM}" in notes
    for file in Path("crds").glob("*.yaml"):
        name = yaml.safe_load(file.read_text())["metadata"]["name"]
        crd = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        admin.delete(crd).raise_for_status()
        until(lambda crd=crd: admin.get(crd).status_code == 404, "the CRD is gone")  # type: ignore[misc]
    until(lambda: undiscovered(admin), "it is not served")
    notes = team("upgrade", "--install", "tidegate", CHART, "--namespace", TEAM, *VALUES)
    assert "kubectl apply --server-side -f crds/" in notes
