"""spec.pod and spec.placement in the pod, joined with what the operator sets."""

from typing import Any

import pytest

from tests.unit.resources.services import IMAGES, service
from tidegate.resources.deployment import WorkerImages, build_deployment

Json = dict[str, Any]

STATIC = {"key": "tidegate.io/cpu-manager-policy", "operator": "In", "values": ["static"]}
ZONE = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}
DISK = {"key": "disk", "operator": "Exists"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def template(**spec: Any) -> Json:
    found: Json = build_deployment(service(**spec), IMAGES)["spec"]["template"]
    return found


def pod(**spec: Any) -> Json:
    found: Json = template(**spec)["spec"]
    return found


def node_affinity(**spec: Any) -> Json:
    found: Json = pod(**spec)["affinity"]["nodeAffinity"]
    return found


def given(*terms: Json, **more: Any) -> Json:
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}, **more}


def test_what_isolation_requires_is_added_to_each_of_the_users_terms() -> None:
    terms = ({"matchExpressions": [ZONE]}, {"matchExpressions": [DISK]})
    found = node_affinity(cpuIsolation="Required", placement=given(*terms))[REQUIRED]["nodeSelectorTerms"]
    assert found == [{"matchExpressions": [ZONE, STATIC]}, {"matchExpressions": [DISK, STATIC]}]


def test_a_term_that_names_a_node_is_joined_with_the_devices_product() -> None:
    fields = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    resources = {
        "cpu": 1,
        "memory": "1Gi",
        "accelerator": {"resource": "nvidia.com/gpu", "count": 1, "types": ["NVIDIA-L4"]},
    }
    found = node_affinity(cpuIsolation="None", resources=resources, placement=given(fields))
    product = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]}
    assert found == {REQUIRED: {"nodeSelectorTerms": [{**fields, "matchExpressions": [product]}]}}


def test_preferences_stand_beside_ours() -> None:
    own = {"weight": 10, "preference": {"matchExpressions": [ZONE]}}
    placement = {"affinity": {"nodeAffinity": {PREFERRED: [own]}}}
    found = node_affinity(placement=placement)[PREFERRED]
    assert found == [own, {"weight": 100, "preference": {"matchExpressions": [STATIC]}}]


def test_pod_affinity_reaches_the_pod_as_it_is_an_empty_selector_included() -> None:
    term = {"labelSelector": {}, "topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}}
    affinity = {
        "podAffinity": {PREFERRED: [{"weight": 5, "podAffinityTerm": term}]},
        "podAntiAffinity": {REQUIRED: [{**term, "namespaces": ["other"]}]},
    }
    found = pod(cpuIsolation="None", placement={"affinity": affinity})["affinity"]
    assert found == affinity


def test_classes_reach_the_pod_and_empty_ones_do_not() -> None:
    found = pod(placement={"runtimeClassName": "nvidia", "priorityClassName": "high"})
    assert (found["runtimeClassName"], found["priorityClassName"]) == ("nvidia", "high")
    assert not {"runtimeClassName", "priorityClassName"} & set(
        pod(placement={"runtimeClassName": "", "priorityClassName": ""})
    )


def test_the_ids_are_the_users_and_never_root() -> None:
    ids = {"runAsUser": 2000, "runAsGroup": 0, "fsGroup": 3000, "supplementalGroups": [4000]}
    found = pod(pod={"securityContext": ids})["securityContext"]
    assert found == ids | {
        "runAsNonRoot": True,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    with pytest.raises(ValueError, match=r"spec\.pod\.securityContext\.runAsUser"):
        service(pod={"securityContext": {"runAsUser": 0}})


def test_the_account_is_named_and_its_token_stays_away() -> None:
    assert pod()["serviceAccountName"] == "default"
    found = pod(pod={"serviceAccountName": "reader"})
    assert found["serviceAccountName"] == "reader"
    assert found["automountServiceAccountToken"] is False


def test_labels_and_annotations_stand_beside_ours() -> None:
    found = template(pod={"labels": {"team": "a"}, "annotations": {"note": "Ω"}})["metadata"]
    assert found["labels"]["team"] == "a"
    assert found["labels"]["tidegate.io/inferenceservice"] == "qwen"
    assert found["annotations"]["note"] == "Ω"
    assert found["annotations"]["linkerd.io/inject"] == "disabled"


def test_volumes_and_mounts_reach_the_engine_with_every_default_named() -> None:
    volumes: list[Json] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        {"name": "conf", "configMap": {"name": "m", "items": [{"key": "a", "path": "b"}]}},
        {"name": "keys", "secret": {"secretName": "s", "optional": True}},
        {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    ]
    mounts = [
        {"name": "data", "mountPath": "/data", "readOnly": True},
        {"name": "fast", "mountPath": "/cache", "subPath": "a/b"},
    ]
    found = pod(pod={"volumes": volumes, "volumeMounts": mounts})
    assert found["volumes"][2:] == [
        volumes[0],
        {
            "name": "conf",
            "configMap": {"name": "m", "defaultMode": 420, "items": [{"key": "a", "path": "b"}]},
        },
        {"name": "keys", "secret": {"secretName": "s", "defaultMode": 420, "optional": True}},
        volumes[3],
    ]
    assert found["containers"][0]["volumeMounts"][2:] == mounts


@pytest.mark.parametrize(
    ("count", "args", "tensor"),
    [
        (1, [], None),
        (4, [], "4"),
        (4, ["--pipeline-parallel-size", "2"], "2"),
        (4, ["--pipeline_parallel_size=4"], None),
        (8, ["-pp", "2", "--data-parallel-size=2"], "2"),
        (8, ["-pp", "4", "-pp", "2"], "4"),
        (4, ["--prefill-context-parallel-size=2"], "2"),
        (4, ["--data-parallel-size-local", "2"], "4"),
    ],
)
def test_the_tensors_are_spread_over_what_the_arguments_leave(
    count: int, args: list[str], tensor: str | None
) -> None:
    resources = {"cpu": 1, "memory": "1Gi", "accelerator": {"resource": "nvidia.com/gpu", "count": count}}
    found = pod(resources=resources, engine={"args": args})["containers"][0]["args"]
    assert found[-len(args) :] == args if args else True
    given_size = found[found.index("--tensor-parallel-size") + 1] if tensor else None
    assert given_size == tensor
    assert found.count("--tensor-parallel-size") == (1 if tensor else 0)


def test_a_changed_default_image_changes_only_the_services_that_use_it() -> None:
    gpu = {"cpu": 1, "memory": "1Gi", "accelerator": {"resource": "nvidia.com/gpu", "count": 1}}
    services = {
        "default": service(),
        "own": service(engine={"image": "mine:1"}),
        "gpu": service(resources=gpu),
    }

    def built(images: WorkerImages) -> dict[str, Json]:
        return {name: build_deployment(each, images) for name, each in services.items()}

    before, after = built(WorkerImages(cpu="a:1", cuda="b:1")), built(WorkerImages(cpu="a:2", cuda="b:1"))
    changed = {name for name in services if before[name] != after[name]}
    hashes = {
        name
        for name in services
        if before[name]["metadata"]["annotations"] != after[name]["metadata"]["annotations"]
    }
    assert changed == hashes == {"default"}
