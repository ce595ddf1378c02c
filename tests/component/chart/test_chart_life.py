"""helm install and upgrade on an API server."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.component.chart.conftest import NAMESPACE
from tests.component.chart.helm import CHART, Helm, HelmError

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.tidegate.io"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/tidegate"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"


@pytest.fixture(autouse=True)
def _uninstalled(helm: Helm) -> Iterator[None]:
    """Each test begins and ends without a release."""
    yield
    helm("uninstall", "tidegate", "--namespace", NAMESPACE, "--ignore-not-found")


def got(admin: httpx.Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = admin.get(path).raise_for_status().json()
    return found


def args_of(admin: httpx.Client, name: str) -> list[str]:
    pod = got(admin, f"{DEPLOYMENTS}/{name}")["spec"]["template"]["spec"]
    found: list[str] = pod["containers"][0]["args"]
    return found


def test_its_pods_are_admitted_under_the_restricted_standard(helm: Helm, admin: httpx.Client) -> None:
    helm.install()
    for deployment in got(admin, DEPLOYMENTS)["items"]:
        template = deployment["spec"]["template"]
        pod = {
            "metadata": {"generateName": "probe-", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        answer = admin.post(f"/api/v1/namespaces/{NAMESPACE}/pods", params={"dryRun": "All"}, json=pod)
        assert answer.status_code == 201, answer.text


def test_a_second_cluster_wide_release_is_told_of_the_first(helm: Helm) -> None:
    helm.install()
    first = "a cluster has one cluster-wide release, and tidegate in the namespace tidegate-system is it"
    with pytest.raises(HelmError, match=first):
        helm("install", "second", CHART, "--namespace", "default")


def test_a_crd_of_no_release_is_named_with_the_commands_that_hand_it_over(
    helm: Helm, admin: httpx.Client
) -> None:
    helm.install()
    helm.uninstall()
    owner = {"meta.helm.sh/release-name": "tidegate", "meta.helm.sh/release-namespace": NAMESPACE}
    _annotate(admin, dict.fromkeys(owner))
    with pytest.raises(HelmError, match=r"belongs to no helm release.*kubectl annotate crd"):
        helm.install()
    _annotate(admin, owner)
    helm.install()


def _annotate(admin: httpx.Client, annotations: Mapping[str, str | None]) -> None:
    merge = {"content-type": "application/merge-patch+json"}
    body = {"metadata": {"annotations": annotations}}
    admin.patch(CRD, json=body, headers=merge).raise_for_status()


def test_an_upgrade_leaves_the_operators_ca_bundle_alone(helm: Helm, admin: httpx.Client) -> None:
    helm.install()
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": _any_ca(admin)}]
    kind = {"content-type": "application/json-patch+json"}
    admin.patch(WEBHOOK, json=patch, headers=kind).raise_for_status()
    written = got(admin, WEBHOOK)["webhooks"][0]["clientConfig"]["caBundle"]
    helm.install("--set", "queue.defaultMaxDepth=64")
    assert got(admin, WEBHOOK)["webhooks"][0]["clientConfig"]["caBundle"] == written
    assert "--default-max-depth=64" in args_of(admin, "tidegate-operator")
    assert "--default-max-depth=64" in args_of(admin, "tidegate-gateway")


def _any_ca(admin: httpx.Client) -> str:
    """A CA that the API server takes for one: its own."""
    roots = got(admin, "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")
    return base64.b64encode(roots["data"]["client-ca-file"].encode()).decode()


def test_an_upgrade_updates_the_crd(helm: Helm, admin: httpx.Client, tmp_path: Path) -> None:
    older = tmp_path / "tidegate"
    shutil.copytree(CHART, older)
    file = next((older / "files" / "crds").iterdir())
    file.write_text(file.read_text().replace("    - infsvc\n", "    - oldname\n"))
    helm.install(chart=older)
    assert got(admin, CRD)["spec"]["names"]["shortNames"] == ["oldname"]
    helm.install()
    assert got(admin, CRD)["spec"]["names"]["shortNames"] == ["infsvc"]


def test_the_notes_name_the_next_three_commands(helm: Helm) -> None:
    notes = helm.install()
    for command in ("kubectl apply -f", "kubectl get inferenceservices", "curl http://localhost:8080/"):
        assert command in notes
