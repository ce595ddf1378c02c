"""From the previous release's chart, kept in previous/, to this one, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.component.chart.conftest import NAMESPACE
from tests.component.chart.helm import Helm
from tests.component.chart.inventory import fetching, inventory
from tests.component.chart.test_chart_life import CRD, DEPLOYMENTS, got
from tests.component.discovery import discovered, until
from tests.component.kube.objects import service_manifest

PREVIOUS = Path(__file__).with_name("previous") / "tidegate-0.1.0.tgz"
SERVICES = f"/apis/tidegate.io/v1alpha1/namespaces/{NAMESPACE}/inferenceservices"
VALUES = ("--set", "image.tag=dev,queue.defaultMaxDepth=64")  # what an administrator had set before


@pytest.fixture(autouse=True)
def _previous(helm: Helm) -> Iterator[None]:
    """Each test begins with the previous release, and ends without any."""
    helm.install(*VALUES, chart=PREVIOUS)
    yield
    helm("uninstall", "tidegate", "--namespace", NAMESPACE, "--ignore-not-found")


def operator(admin: httpx.Client) -> dict[str, Any]:
    spec: dict[str, Any] = got(admin, f"{DEPLOYMENTS}/tidegate-operator")["spec"]
    return spec


def test_an_upgrade_makes_one_recreated_operator_two_rolling_ones_and_a_rollback_makes_it_one_again(
    helm: Helm, admin: httpx.Client
) -> None:
    assert operator(admin)["strategy"] == {"type": "Recreate"}
    helm.install("--reset-then-reuse-values")
    upgraded = operator(admin)
    assert upgraded["replicas"] == 2
    assert upgraded["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "--default-max-depth=64" in upgraded["template"]["spec"]["containers"][0]["args"]
    helm("rollback", "tidegate", "1", "--namespace", NAMESPACE)
    assert operator(admin)["strategy"] == {"type": "Recreate"}
    assert operator(admin)["replicas"] == 1
    helm("rollback", "tidegate", "2", "--namespace", NAMESPACE)
    assert operator(admin)["replicas"] == 2


def test_an_upgrade_replaces_no_object_that_serves_and_keeps_every_service(
    helm: Helm, admin: httpx.Client
) -> None:
    until(lambda: discovered(admin), "the CRD is served")
    admin.post(SERVICES, json=service_manifest(NAMESPACE, "old")).raise_for_status()
    before = got(admin, f"{SERVICES}/old")
    paths = (
        f"{DEPLOYMENTS}/tidegate-gateway",
        f"/api/v1/namespaces/{NAMESPACE}/services/tidegate-gateway",
        CRD,
    )
    uids = [got(admin, path)["metadata"]["uid"] for path in paths]
    selector = got(admin, paths[0])["spec"]["selector"]
    helm.install("--reset-then-reuse-values")
    assert [got(admin, path)["metadata"]["uid"] for path in paths] == uids
    assert got(admin, paths[0])["spec"]["selector"] == selector
    after = got(admin, f"{SERVICES}/old")
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    admin.delete(f"{SERVICES}/old").raise_for_status()


def test_after_an_upgrade_there_is_what_a_fresh_installation_has_and_nothing_of_the_old_one(
    helm: Helm, admin: httpx.Client
) -> None:
    def ours() -> set[str]:
        found = inventory(fetching(admin))
        return {name for name in found if "tidegate" in name and not name.startswith("secrets ")}

    helm.install("--reset-then-reuse-values")
    upgraded = ours()
    helm.uninstall()
    helm.install(*VALUES)
    assert upgraded == ours()


def test_the_crd_after_an_upgrade_is_this_releases(helm: Helm, admin: httpx.Client, tmp_path: Path) -> None:
    file = next(Path("crds").glob("*.yaml")).read_text()
    helm.install("--reset-then-reuse-values")
    upgraded = got(admin, CRD)["spec"]
    helm.uninstall()
    admin.delete(CRD).raise_for_status()
    until(lambda: admin.get(CRD).status_code == 404, "the CRD is gone")
    kind = {"content-type": "application/apply-patch+yaml"}
    fresh = admin.patch(CRD, content=file, params={"fieldManager": "test"}, headers=kind).raise_for_status()
    assert upgraded == fresh.json()["spec"]
    admin.delete(CRD).raise_for_status()
    until(lambda: admin.get(CRD).status_code == 404, "the CRD is gone")
