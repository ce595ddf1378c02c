"""helm uninstall: what it runs before, what it leaves, and what happens where it cannot finish."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from tests.component.chart.conftest import NAMESPACE
from tests.component.chart.helm import Helm, HelmError
from tests.component.chart.inventory import difference, fetching, inventory
from tests.component.chart.jobs import Jobs
from tests.component.chart.test_chart_life import CRD, got
from tests.component.discovery import discovered, undiscovered, until
from tests.component.kube.objects import service_manifest

SERVICES = f"/apis/tidegate.io/v1alpha1/namespaces/{NAMESPACE}/inferenceservices"
OPERATOR = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/tidegate-operator"


def with_a_service(helm: Helm, admin: httpx.Client, name: str) -> None:
    helm.install()
    until(lambda: discovered(admin), "the CRD is served")
    admin.post(SERVICES, json=service_manifest(NAMESPACE, name)).raise_for_status()


def _without_crd(admin: httpx.Client) -> None:
    """As on a cluster that never had it; another test may have left it."""
    assert admin.delete(CRD).status_code in (200, 404)
    until(lambda: admin.get(CRD).status_code == 404 and undiscovered(admin), "the CRD is gone")


def test_an_uninstall_leaves_nothing_of_any_kind_but_the_crd_with_its_objects_and_installs_again(
    helm: Helm, admin: httpx.Client
) -> None:
    _without_crd(admin)
    before = inventory(fetching(admin))
    with_a_service(helm, admin, "kept")
    helm.uninstall()
    left = [line.split(":")[0] for line in difference(before, inventory(fetching(admin)))]
    assert left == [
        "customresourcedefinitions.apiextensions.k8s.io /inferenceservices.tidegate.io",
        f"inferenceservices.tidegate.io {NAMESPACE}/kept",
    ]
    helm.install()
    assert got(admin, f"{SERVICES}/kept")["spec"]["model"]["uri"] == "hf://a/b"
    admin.delete(f"{SERVICES}/kept").raise_for_status()
    helm.uninstall()


def test_before_anything_is_deleted_a_job_with_the_operators_account_retires_it(
    helm: Helm, jobs: Jobs
) -> None:
    helm.install("--set", "operator.serviceAccount.name=robot,uninstall.deadlineSeconds=33")
    jobs.seen.clear()
    helm.uninstall()
    [job] = jobs.seen
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "robot"
    assert "retire" in pod["containers"][0]["args"]
    assert job["spec"]["activeDeadlineSeconds"] == 33


def test_the_jobs_command_is_one_that_the_image_knows(helm: Helm, jobs: Jobs) -> None:
    helm.install()
    jobs.seen.clear()
    helm.uninstall()
    arguments = jobs.seen[0]["spec"]["template"]["spec"]["containers"][0]["args"]
    known = subprocess.run(
        [sys.executable, "-m", "tidegate.cli", *arguments, "--help"], capture_output=True, check=False
    )
    assert known.returncode == 0, known.stderr


def test_a_retirement_that_fails_leaves_the_release_whole_and_can_be_passed_over(
    helm: Helm, admin: httpx.Client, jobs: Jobs
) -> None:
    helm.install()
    jobs.succeed = False
    try:
        with pytest.raises(HelmError, match="tidegate-retire"):
            helm.uninstall()
    finally:
        jobs.succeed = True
    assert admin.get(OPERATOR).status_code == 200
    helm("uninstall", "tidegate", "--namespace", NAMESPACE, "--no-hooks")
    assert admin.get(OPERATOR).status_code == 404
    assert got(admin, f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs")["items"] == []


def test_the_crd_and_every_service_go_too_where_that_is_asked_for_and_the_notes_warn_of_it(
    helm: Helm, admin: httpx.Client
) -> None:
    with_a_service(helm, admin, "lost")
    notes = helm.install("--set", "crds.keep=false")
    assert "will delete every InferenceService" in notes
    helm.uninstall()
    until(lambda: admin.get(CRD).status_code == 404, "the CRD is gone")
    helm.install()
    until(lambda: discovered(admin), "the CRD is served")
    assert got(admin, SERVICES)["items"] == []
    helm.uninstall()
