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

NAMESPACED = ("--set", "watchNamespace=team-a,crds.install=false")
SHAPES = {
    "defaults": (),
    "everything set": (
        *("--set", "image.tag=v1,imagePullSecrets={one,two},kubelet.insecureSkipTLSVerify=true"),
        *("--set", "gateway.replicas=3,gateway.service.type=LoadBalancer,gateway.service.port=8000"),
        *("--set", "gateway.nodeSelector.a=b,operator.nodeSelector.a=b,gateway.priorityClassName=high"),
        *("--set", "gateway.tolerations[0].key=x,gateway.tolerations[0].operator=Exists"),
        *("--set", "gateway.podAnnotations.a=b,operator.podAnnotations.a=b,gateway.service.annotations.a=b"),
        *("--set", "operator.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution=null"),
        *("--set", f"image.digest=sha256:{'0' * 64},commonLabels.team=ml,logLevel=DEBUG"),
        *("--set", "gateway.service.nodePort=30080,gateway.service.loadBalancerClass=a.example/b"),
        *("--set", "gateway.service.loadBalancerSourceRanges={10.0.0.0/8},gateway.podLabels.a=b"),
        *("--set", "gateway.service.externalTrafficPolicy=Local,gateway.service.ipFamilyPolicy=SingleStack"),
        *("--set", "gateway.timeouts.connectSeconds=1.5,gateway.serviceAccount.annotations.a=b"),
        *("--set", "gateway.env[0].name=A,gateway.env[0].value=b,operator.env[0].name=A,operator.replicas=3"),
        *("--set", "operator.topologySpreadConstraints[0].maxSkew=1,operator.podLabels.a=b"),
        *("--set", "operator.topologySpreadConstraints[0].topologyKey=zone"),
        *("--set", "operator.topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule"),
        *("--set", "webhook.namespaceSelector.matchLabels.a=b,webhook.mutatingTimeoutSeconds=1"),
        *("--set", "webhook.namespaceSelector.matchExpressions[0].key=a"),
        *("--set", "webhook.namespaceSelector.matchExpressions[0].operator=Exists"),
        *("--set", "networkPolicy.workerNamespaces={a,b},cache.nodePath=/var/lib/tidegate"),
        *("--set", "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring"),
    ),
    "no CRDs": ("--set", "crds.install=false"),
    "one namespace": NAMESPACED,
    "one namespace, from another": (*NAMESPACED, "--namespace", "elsewhere"),
    "no extras": ("--set", "webhook.enabled=false,networkPolicy.enabled=false,operator.replicas=1"),
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
    assert len(objects) > 8
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


@pytest.mark.parametrize(
    ("kind", "resources"),
    [
        ("Mutating", [("tidegate.io", "inferenceservices")]),
        (
            "Validating",
            [("tidegate.io", "inferenceservices"), ("autoscaling", "horizontalpodautoscalers")],
        ),
    ],
)
def test_a_webhooks_configuration_has_no_ca_bundle_and_cannot_block_anybody(
    helm_offline: Helm, kind: str, resources: list[tuple[str, str]]
) -> None:
    webhooks = rendered(helm_offline)[f"{kind}WebhookConfiguration", "tidegate"]["webhooks"]
    asked = []
    for webhook in webhooks:
        assert "caBundle" not in webhook["clientConfig"]
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["sideEffects"] == "None"
        assert webhook["timeoutSeconds"] <= 2
        (rule,) = webhook["rules"]
        assert rule["operations"] == ["CREATE", "UPDATE"]
        asked += [(group, each) for group in rule["apiGroups"] for each in rule["resources"]]
    assert asked == resources


def test_of_autoscalers_only_those_of_inference_services_are_sent_to_the_webhook(helm_offline: Helm) -> None:
    _, webhook = rendered(helm_offline)["ValidatingWebhookConfiguration", "tidegate"]["webhooks"]
    (condition,) = webhook["matchConditions"]
    assert "scaleTargetRef.kind == 'InferenceService'" in condition["expression"]
    assert "startsWith('tidegate.io/')" in condition["expression"]


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
        ("operator.replicas=0", "/operator/replicas"),
        ("gateway.terminationGracePeriodSeconds=5", "/gateway/terminationGracePeriodSeconds"),
        ("gateway.resources.requests.cpu=lots", "/gateway/resources/requests/cpu"),
        ("gateway.resources.request.cpu=1", "request"),
        ("image.digest=latest", "/image/digest"),
        ("image.repository=registry.example/tidegate:v1", "/image/repository"),
        ("webhook.failurePolicy=Fail", "failurePolicy"),
        ("webhook.mutatingTimeoutSeconds=60", "/webhook/mutatingTimeoutSeconds"),
        ("watchNamespace=Team_A", "/watchNamespace"),
        ("logLevel=TRACE", "/logLevel"),
        ("gateway.env[0].value=x", "/gateway/env/0"),
        ("gateway.tolerations[0].operater=Exists", "operater"),
        ("commonLabels.tidegate\\.io/x=y", "tidegate.io/x"),
        ("watchNamespace=team-a", "set crds.install=false"),
        ("gateway.service.nodePort=30080", "ClusterIP has none"),
        ("gateway.service.externalTrafficPolicy=Local", "gateway.service.type"),
        ("gateway.service.loadBalancerClass=a/b", "need gateway.service.type=LoadBalancer"),
        ("gateway.serviceAccount.name=tidegate-operator", "must differ"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(helm_offline: Helm, option: str, words: str) -> None:
    with pytest.raises(HelmError, match=words):
        helm_offline.template("--set", option)


def test_a_cluster_that_is_too_old_is_refused_with_the_reason(helm_offline: Helm) -> None:
    with pytest.raises(HelmError, match=r"requires kubeVersion: >=1\.33"):
        helm_offline("template", "tidegate", CHART, "--kube-version", "1.32.0")


CLUSTER_SCOPED = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


@pytest.mark.parametrize("where", ["team-a", "elsewhere"])
def test_an_installation_for_one_namespace_has_nothing_that_belongs_to_the_cluster(
    helm_offline: Helm, where: str
) -> None:
    objects = rendered(helm_offline, *NAMESPACED, "--namespace", where)
    assert {kind for kind, _ in objects} & CLUSTER_SCOPED == set()
    assert {document["metadata"]["namespace"] for document in objects.values()} <= {"team-a", where}
    for name in ("tidegate-operator", "tidegate-gateway"):
        assert "--watch-namespace=team-a" in container(objects, name)["args"]
        assert f"--namespace={where}" in container(objects, name)["args"]
    assert "--webhook-config=" in container(objects, "tidegate-operator")["args"]


def test_a_digest_pins_the_image_with_or_without_a_tag(helm_offline: Helm) -> None:
    digest = f"sha256:{'a' * 64}"
    options = ("--set", f"image.repository=registry.example/tidegate,image.digest={digest}")
    images = [
        container(rendered(helm_offline, *options, *more), "tidegate-gateway")["image"]
        for more in ((), ("--set", "image.tag=v1"))
    ]
    assert images == [f"registry.example/tidegate@{digest}", f"registry.example/tidegate:v1@{digest}"]


def test_no_label_of_the_users_reaches_a_selector(helm_offline: Helm) -> None:
    options = ("--set", "commonLabels.team=ml,gateway.podLabels.tier=a")
    deployment = rendered(helm_offline, *options)["Deployment", "tidegate-gateway"]
    assert deployment["metadata"]["labels"]["team"] == "ml"
    assert deployment["spec"]["template"]["metadata"]["labels"]["tier"] == "a"
    assert (
        deployment["spec"]["selector"]
        == (rendered(helm_offline)["Deployment", "tidegate-gateway"]["spec"]["selector"])
    )


def test_renamed_accounts_keep_their_rights_and_are_held_by_the_policies(helm_offline: Helm) -> None:
    options = ("--set", "gateway.serviceAccount.name=door,operator.serviceAccount.name=robot")
    objects = rendered(helm_offline, *options)
    subjects = {
        name: binding["subjects"][0]["name"]
        for (kind, name), binding in objects.items()
        if kind.endswith("RoleBinding") and name in ("tidegate-gateway", "tidegate-operator")
    }
    assert subjects == {"tidegate-gateway": "door", "tidegate-operator": "robot"}
    assert ("ServiceAccount", "door") in objects
    assert ":door'" in str(objects["ValidatingAdmissionPolicy", "tidegate-gateway-wakes-only"])
    assert ":robot'" in str(objects["ValidatingAdmissionPolicy", "tidegate-operator-labels-only"])


def ports_open_to(policy: dict[str, Any]) -> dict[str, list[str]]:
    """Port name → the components that may reach it; all: anybody."""
    return {
        rule["ports"][0]["port"]: [
            peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            if "podSelector" in peer
            else "?"
            for peer in rule.get("from", [])
        ]
        or ["all"]
        for rule in policy["spec"]["ingress"]
    }


def test_network_policies_let_each_port_be_reached_by_those_it_is_for(helm_offline: Helm) -> None:
    objects = rendered(helm_offline)
    gateway = objects["NetworkPolicy", "tidegate-gateway"]
    assert ports_open_to(gateway) == {"http": ["all"], "admin": ["operator"], "peers": ["gateway"]}
    assert ports_open_to(objects["NetworkPolicy", "tidegate-operator"]) == {"webhook": ["all"]}
    assert ("NetworkPolicy", "tidegate-workers") not in objects
    one = rendered(helm_offline, *NAMESPACED, "--namespace", "elsewhere")
    workers = one["NetworkPolicy", "tidegate-workers"]
    assert workers["metadata"]["namespace"] == "team-a"
    [rule] = workers["spec"]["ingress"]
    assert [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in rule["from"]] == [
        "gateway",
        "operator",
    ]
    from_ = {peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]}
    assert from_ == {"elsewhere"}
    pods = one["Deployment", "tidegate-operator"]["spec"]["template"]["metadata"]["labels"]
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= pods.items()


def test_who_may_read_metrics_may_read_the_workers_and_nothing_else_of_them(helm_offline: Helm) -> None:
    peer = "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring"
    one = rendered(helm_offline, *NAMESPACED, "--namespace", "elsewhere", "--set", peer)
    _, metrics = one["NetworkPolicy", "tidegate-workers"]["spec"]["ingress"]
    assert metrics["from"] == [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
    assert metrics["ports"] == [{"port": "isolation"}]


def test_a_pod_monitor_reads_the_workers_of_all_namespaces_or_of_the_one_that_is_served(
    helm_offline: Helm,
) -> None:
    wanted = ("--set", "podMonitor.enabled=true")
    for options, namespaces in (((), {"any": True}), (NAMESPACED, {"matchNames": ["team-a"]})):
        spec = rendered(helm_offline, *options, *wanted)["PodMonitor", "tidegate-workers"]["spec"]
        assert spec["namespaceSelector"] == namespaces
        [endpoint] = spec["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("isolation", "/metrics")
        assert endpoint["relabelings"][0]["targetLabel"] == "service"


def test_a_pod_monitor_for_each_program_names_a_port_that_it_has(helm_offline: Helm) -> None:
    objects = rendered(helm_offline, "--set", "podMonitor.enabled=true,podMonitor.labels.release=prometheus")
    for name in ("tidegate-operator", "tidegate-gateway"):
        monitor = objects["PodMonitor", name]
        ports = {port["name"] for port in container(objects, name)["ports"]}
        endpoint = monitor["spec"]["podMetricsEndpoints"][0]
        assert endpoint["port"] in ports
        assert endpoint["honorLabels"] is True, "the metrics have a namespace of their own"
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        labels = objects["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_webhook_leaves_namespaces_of_other_installations_alone_whatever_is_selected(
    helm_offline: Helm,
) -> None:
    for options in ((), ("--set", "webhook.namespaceSelector.matchLabels.a=b")):
        objects = rendered(helm_offline, *options)
        selector = objects["MutatingWebhookConfiguration", "tidegate"]["webhooks"][0]["namespaceSelector"]
        assert {"key": "tidegate.io/installation", "operator": "DoesNotExist"} in selector["matchExpressions"]
    assert selector["matchLabels"] == {"a": "b"}


def test_without_a_webhook_nothing_of_it_is_there_and_readiness_does_not_wait_for_it(
    helm_offline: Helm,
) -> None:
    objects = rendered(helm_offline, "--set", "webhook.enabled=false")
    assert ("MutatingWebhookConfiguration", "tidegate") not in objects
    assert ("Service", "tidegate-webhook") not in objects
    operator = container(objects, "tidegate-operator")
    assert "--webhook-config=" in operator["args"]
    assert operator["readinessProbe"]["httpGet"]["port"] == "health"
    assert "secrets" not in str(objects["Role", "tidegate-operator"])
