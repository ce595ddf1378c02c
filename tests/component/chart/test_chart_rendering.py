"""What the chart's values make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.component.chart.helm import CHART, Helm, HelmError
from tidegate.devcluster.tools import KUBERNETES
from tidegate.resources.names import GATEWAY_PEER_PORT

SHAPES = {
    "defaults": (),
    "everything set": (
        *("--set", "image.tag=v1,imagePullSecrets={one,two},kubelet.insecureSkipTLSVerify=true"),
        *("--set", "gateway.replicas=3,gateway.service.type=LoadBalancer,gateway.service.port=8000"),
        *("--set", "gateway.nodeSelector.a=b,operator.nodeSelector.a=b,gateway.priorityClassName=high"),
        *("--set", "gateway.tolerations[0].key=x,gateway.tolerations[0].operator=Exists"),
        *("--set", "gateway.podAnnotations.a=b,operator.podAnnotations.a=b,gateway.service.annotations.a=b"),
        *("--set", "operator.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution=null"),
    ),
    "no CRDs": ("--set", "crds.install=false"),
}


def rendered(helm: Helm, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Every object by kind and name."""
    documents = [document for document in yaml.safe_load_all(helm.template(*options)) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def container(objects: dict[tuple[str, str], dict[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_object_is_valid_for_kubernetes(helm_offline: Helm, shape: str) -> None:
    version = ".".join(KUBERNETES.removeprefix("v").split(".")[:2])
    objects = rendered(helm_offline, *SHAPES[shape])
    assert len(objects) > 15
    for document in objects.values():
        kubernetes_validate.validate(document, version, strict=True)


def test_the_crd_is_the_generated_one_with_the_mark_that_keeps_it(helm_offline: Helm) -> None:
    source = yaml.safe_load(next(Path("crds").glob("*.yaml")).read_text())
    crd = rendered(helm_offline)["CustomResourceDefinition", "inferenceservices.tidegate.io"]
    assert crd["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    assert crd == source
    unkept = rendered(helm_offline, "--set", "crds.keep=false")
    assert unkept["CustomResourceDefinition", "inferenceservices.tidegate.io"] == source


def test_no_cpu_limit_on_the_data_path(helm_offline: Helm) -> None:
    resources = container(rendered(helm_offline), "tidegate-gateway")["resources"]
    assert resources["requests"]["cpu"] == "1"
    assert "cpu" not in resources["limits"]


def test_gateways_find_each_other_and_more_than_one_are_spread_and_kept(helm_offline: Helm) -> None:
    one = rendered(helm_offline, "--namespace", "elsewhere")
    arguments = container(one, "tidegate-gateway")["args"]
    assert "--peer-namespace=elsewhere" in arguments
    assert f"--peer-listen=0.0.0.0:{GATEWAY_PEER_PORT}" in arguments
    assert ("PodDisruptionBudget", "tidegate-gateway") not in one
    three = rendered(helm_offline, "--set", "gateway.replicas=3")
    pods = three["Deployment", "tidegate-gateway"]["spec"]["template"]
    spread = pods["spec"]["topologySpreadConstraints"][0]
    for selector in (
        spread["labelSelector"],
        three["PodDisruptionBudget", "tidegate-gateway"]["spec"]["selector"],
    ):
        assert selector["matchLabels"].items() <= pods["metadata"]["labels"].items()


def test_the_administrators_choice_about_kubelets_reaches_the_operator(helm_offline: Helm) -> None:
    flag = "--kubelet-insecure-skip-tls-verify"
    assert flag not in container(rendered(helm_offline), "tidegate-operator")["args"]
    chosen = rendered(helm_offline, "--set", "kubelet.insecureSkipTLSVerify=true")
    assert flag in container(chosen, "tidegate-operator")["args"]


@pytest.mark.parametrize("kind", ["Mutating", "Validating"])
def test_a_webhooks_configuration_has_no_ca_bundle_and_cannot_block_anybody(
    helm_offline: Helm, kind: str
) -> None:
    (webhook,) = rendered(helm_offline)[f"{kind}WebhookConfiguration", "tidegate"]["webhooks"]
    assert "caBundle" not in webhook["clientConfig"]
    assert webhook["failurePolicy"] == "Ignore"
    assert webhook["sideEffects"] == "None"
    assert webhook["timeoutSeconds"] <= 2
    (rule,) = webhook["rules"]
    assert (rule["apiGroups"], rule["resources"]) == (["tidegate.io"], ["inferenceservices"])
    assert rule["operations"] == ["CREATE", "UPDATE"]


def test_the_policies_name_the_accounts_of_the_releases_namespace(helm_offline: Helm) -> None:
    text = helm_offline.template("--namespace", "elsewhere")
    assert "system:serviceaccount:elsewhere:tidegate-gateway" in text
    assert "system:serviceaccount:elsewhere:tidegate-operator" in text
    assert "tidegate-system" not in text


def test_a_new_chart_version_alone_restarts_no_pod(helm_offline: Helm, tmp_path: Path) -> None:
    for name in ("tidegate-operator", "tidegate-gateway"):
        template = rendered(helm_offline)["Deployment", name]["spec"]["template"]
        assert "0.1.0" not in str(template["metadata"])
    assert (CHART / "Chart.yaml").is_file()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("gateway.replica=2", "replica"),
        ("queue.defaultMaxDepth=0", "defaultMaxDepth"),
        ("queue.defaultMaxDepth=many", "defaultMaxDepth"),
        ("gateway.service.type=Ingress", "type"),
        ("image.repository=", "repository"),
        ("kubelet.insecureSkipTLSVerify=perhaps", "insecureSkipTLSVerify"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(helm_offline: Helm, option: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        helm_offline.template("--set", option)


def test_a_cluster_that_is_too_old_is_refused_with_the_reason(helm_offline: Helm) -> None:
    with pytest.raises(HelmError, match=r"requires kubeVersion: >=1\.33"):
        helm_offline("template", "tidegate", CHART, "--kube-version", "1.32.0")
