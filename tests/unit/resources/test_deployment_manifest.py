from typing import Any

import pytest

from tests.unit.resources.services import IMAGES, UID, service
from tidegate.resources.deployment import WorkerImages, build_deployment, build_seed

Json = dict[str, Any]

FULL = {"cpu": 4, "memory": "32Gi", "ephemeralStorage": "20Gi", "sharedMemory": "2Gi"}
GPU = {"resource": "nvidia.com/gpu", "count": 2, "types": ["NVIDIA-L4"]}


def pod(**spec: Any) -> Json:
    found: Json = build_deployment(service(**spec), IMAGES)["spec"]["template"]["spec"]
    return found


def engine(**spec: Any) -> Json:
    (found,) = pod(**spec)["containers"]
    return dict(found)


def env(**spec: Any) -> Json:
    return {each["name"]: each.get("value") for each in engine(**spec)["env"]}


def node_terms(kind: str, **spec: Any) -> list[Json]:
    affinity = pod(**spec).get("affinity", {}).get("nodeAffinity", {})
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {}).get("nodeSelectorTerms", [])
    preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution", [])
    terms = required if kind == "required" else [each["preference"] for each in preferred]
    return [expression for term in terms for expression in term["matchExpressions"]]


def test_the_applied_manifest_never_says_how_many_workers() -> None:
    assert "replicas" not in build_deployment(service(), IMAGES)["spec"]


def test_it_is_created_asleep_and_paused_with_no_field_that_an_apply_would_drop() -> None:
    seed, full = (
        build_seed(service(rollout="Surge"), IMAGES)["spec"],
        build_deployment(service(), IMAGES)["spec"],
    )
    assert seed["replicas"] == 0
    assert seed["paused"]
    assert full["paused"] is False
    assert seed["strategy"] == {"type": "Recreate"}
    assert seed["selector"] == full["selector"]
    (container,) = seed["template"]["spec"]["containers"]
    assert set(container) == {"name", "image"}


def test_every_container_is_guaranteed() -> None:
    amounts = engine(resources={**FULL, "accelerator": GPU})["resources"]
    assert amounts["requests"] == amounts["limits"]
    assert amounts["limits"] == {
        "cpu": "4",
        "memory": "32Gi",
        "ephemeral-storage": "20Gi",
        "nvidia.com/gpu": "2",
    }


def test_without_isolation_there_is_no_cpu_limit_to_throttle() -> None:
    amounts = engine(cpuIsolation="None")["resources"]
    assert amounts["requests"]["cpu"] == "1"
    assert "cpu" not in amounts["limits"]


def test_shared_memory_and_scratch_space_stay_within_what_the_worker_has() -> None:
    volumes = {each["name"]: each["emptyDir"] for each in pod(resources=FULL)["volumes"]}
    assert volumes == {"tmp": {"sizeLimit": "20Gi"}, "shm": {"medium": "Memory", "sizeLimit": "2Gi"}}
    mounts = {each["name"]: each["mountPath"] for each in engine(resources=FULL)["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "shm": "/dev/shm"}  # noqa: S108


def test_an_engine_of_several_processes_starts_without_a_word_on_shared_memory() -> None:
    volumes = {
        each["name"]: each["emptyDir"] for each in pod(resources={"cpu": 8, "memory": "32Gi"})["volumes"]
    }
    assert volumes == {"tmp": {}, "shm": {"medium": "Memory"}}
    mounts = {each["name"]: each["mountPath"] for each in engine()["volumeMounts"]}
    assert mounts["shm"] == "/dev/shm"  # noqa: S108


def test_the_pod_is_restricted_and_needs_no_api_server() -> None:
    found, container = pod(), engine()
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"]
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_a_busy_engine_is_not_killed_by_a_probe() -> None:
    container = engine(engine={"startupDeadlineSeconds": 901, "readinessPath": "/health"})
    assert "livenessProbe" not in container
    startup = container["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] == 902
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"


def test_a_stopping_worker_has_the_whole_execution_timeout_after_every_gateway_has_seen_its_end() -> None:
    spec = pod(queue={"executionTimeoutSeconds": 600})
    container = spec["containers"][0]
    drain = next(int(each["value"]) for each in container["env"] if each["name"] == "TIDEGATE_DRAIN_SECONDS")
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause >= 1
    assert 600 < drain < pause + drain < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("hf://Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B"),
        ("pvc://models/minilm", "/models/models/minilm"),
        ("pvc://models", "/models/models"),
        ("file:///opt/model", "/opt/model"),
    ],
)
def test_each_source_becomes_a_path_for_the_engine(uri: str, path: str) -> None:
    args = engine(model={"uri": uri})["args"]
    assert args[:2] == ["--model", path]


def test_a_claim_is_mounted_read_only_and_local_weights_never_ask_the_hub() -> None:
    local = {"uri": "pvc://models/minilm"}
    claim = {"claimName": "models", "readOnly": True}
    assert {"name": "model", "persistentVolumeClaim": claim} in pod(model=local)["volumes"]
    mount = {"name": "model", "mountPath": "/models/models", "readOnly": True}
    assert mount in engine(model=local)["volumeMounts"]
    assert env(model=local)["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in env()


def test_the_users_arguments_come_after_ours() -> None:
    spec: Json = {
        "model": {"uri": "hf://a/b", "revision": "v2", "servedNames": ["one", "two"]},
        "engine": {"args": ["--dtype", "half"], "maxConcurrency": 8},
        "resources": {**FULL, "accelerator": GPU},
    }
    own = "--model a/b --revision v2 --served-model-name one two --port 8000 --max-num-seqs 8"
    assert engine(**spec)["args"] == [*own.split(), "--tensor-parallel-size", "2", "--dtype", "half"]


def test_the_users_variables_replace_ours() -> None:
    secret = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token"}}}
    given = [{"name": "HOME", "value": "/data"}, secret]
    container = engine(engine={"env": given})
    assert [each for each in container["env"] if each["name"] == "HOME"] == [given[0]]
    assert secret in container["env"]


def test_the_image_follows_the_device_unless_the_spec_names_one() -> None:
    assert engine()["image"] == "worker:cpu"
    assert engine(resources={**FULL, "accelerator": GPU})["image"] == "worker:cuda"
    assert engine(engine={"image": "mine:1"})["image"] == "mine:1"
    with pytest.raises(ValueError, match=r"spec\.engine\.image: must be set.*amd\.com/gpu"):
        engine(resources={**FULL, "accelerator": {"resource": "amd.com/gpu", "count": 1}})
    with pytest.raises(ValueError, match=r"no default image for CPU; .* worker\.images\.cpu$"):
        WorkerImages(cpu="", cuda="").image_for(service().spec)


@pytest.mark.parametrize(("isolation", "kind"), [("Required", "required"), ("Preferred", "preferred")])
def test_isolation_is_affinity_to_nodes_with_the_static_policy(isolation: str, kind: str) -> None:
    static = {"key": "tidegate.io/cpu-manager-policy", "operator": "In", "values": ["static"]}
    assert static in node_terms(kind, cpuIsolation=isolation)
    assert "affinity" not in pod(cpuIsolation="None")


@pytest.mark.parametrize(
    ("resource", "label"),
    [("nvidia.com/gpu", "nvidia.com/gpu.product"), ("amd.com/gpu", "amd.com/gpu.product-name")],
)
def test_device_types_are_affinity_to_the_vendors_label(resource: str, label: str) -> None:
    resources = {**FULL, "accelerator": {"resource": resource, "count": 1, "types": ["A", "B"]}}
    wanted = {"key": label, "operator": "In", "values": ["A", "B"]}
    assert wanted in node_terms("required", resources=resources, engine={"image": "i"})


def test_placement_reaches_the_pod() -> None:
    placement: Json = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }
    found = pod(placement=placement)
    assert found["nodeSelector"] == placement["nodeSelector"]
    assert found["tolerations"] == placement["tolerations"]


def test_workers_prefer_nodes_and_zones_without_another_of_their_service() -> None:
    found = {each["topologyKey"]: each for each in pod()["topologySpreadConstraints"]}
    assert set(found) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    for each in found.values():
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["labelSelector"] == {"matchLabels": {"tidegate.io/inferenceservice": "qwen"}}


def test_meshes_are_told_to_stay_out_of_the_pod() -> None:
    template = build_deployment(service(), IMAGES)["spec"]["template"]["metadata"]
    assert template["labels"]["sidecar.istio.io/inject"] == "false"
    assert template["annotations"]["linkerd.io/inject"] == "disabled"


def test_replace_needs_no_spare_device_and_surge_starts_first() -> None:
    assert build_deployment(service(), IMAGES)["spec"]["strategy"] == {"type": "Recreate"}
    surge = build_deployment(service(rollout="Surge"), IMAGES)["spec"]["strategy"]
    assert surge["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_everything_goes_with_its_inference_service() -> None:
    for manifest in (build_seed(service(), IMAGES), build_deployment(service(), IMAGES)):
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert owner["uid"] == UID
        assert owner["controller"]


def test_the_hash_changes_with_the_manifest_and_with_nothing_else() -> None:
    def digest(**spec: Any) -> str:
        annotations = build_deployment(service(**spec), IMAGES)["metadata"]["annotations"]
        return str(annotations["tidegate.io/spec-hash"])

    assert digest() == digest()
    assert digest() == digest(scaling={"idleTimeoutSeconds": 5})
    assert digest() != digest(engine={"args": ["--dtype", "half"]})
