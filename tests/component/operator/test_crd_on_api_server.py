"""What the API server itself says about an InferenceService, with no operator anywhere."""

from __future__ import annotations

import copy
import os
import subprocess
from typing import Any

import pytest

from tests.component.operator.harness import World
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import InvalidError

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFICE = {"cron": "0 9 * * MON-FRI", "forSeconds": 28800, "minReplicas": 1}
PRICE = {"perReplicaHour": "0.40", "currency": "USD"}
GPU = {"resource": "nvidia.com/gpu", "count": 1}
LEAST: Json = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}

STEPS = [{"above": 32, "maxTokens": 128}, {"above": 64, "maxTokens": 96}]

MOUNTED: Json = {"volumes": [{"name": "a", "emptyDir": {}}]}

REFUSED: list[tuple[str, Any, str]] = [
    ("model.uri", "gs://bucket/model", r"spec\.model\.uri.*hf://OWNER/NAME"),
    ("model.uri", "file:///a/../../etc", r"spec\.model\.uri.*without \.\."),
    ("model.uri", "hf://", r"spec\.model\.uri"),
    ("model.uri", "https://example.com/a", r"spec\.model\.uri"),
    ("model.uri", "s3://Bucket/model", r"spec\.model\.uri"),
    ("model.uri", "oci://image", r"spec\.model\.uri.*oci://REGISTRY"),
    ("model", {"uri": "s3://bucket/a", "revision": "v1"}, r"spec\.model\.revision.*hf://"),
    ("model", {"uri": "pvc://a", "secretRef": {"name": "s"}}, r"spec\.model\.secretRef.*does nothing"),
    ("model", {"uri": "file:///a", "secretRef": {"name": "s"}}, r"spec\.model\.secretRef.*does nothing"),
    ("engine.args", ["--max-num-se", "9"], r"spec\.engine\.args.*set spec\.engine\.maxConcurrency"),
    ("engine.args", ["--mod=x"], r"spec\.engine\.args.*set spec\.model\.uri"),
    ("engine.args", ["--model.x", "y"], r"spec\.engine\.args.*set spec\.model\.uri"),
    ("engine.args", ["-t", "2"], r"spec\.engine\.args.*accelerator\.count"),
    ("resources.accelerator", {"resource": "nvidia.com/mig-1g.10gb", "count": 2}, r"accelerator\.count.*MIG"),
    ("resources.accelerator", {"resource": "kubernetes.io/x", "count": 1}, r"accelerator\.resource"),
    (
        "resources.accelerator",
        {"resource": "gpu", "count": 1},
        r"accelerator\.resource.*such as nvidia\.com/gpu",
    ),
    ("resources.memory", "9E", r"spec\.resources\.memory.*1Ei"),
    ("resources.memory", "1m", r"spec\.resources\.memory.*one byte"),
    (
        "placement.tolerations",
        [{"operator": "Exists", "key": "a", "value": "b"}],
        r"tolerations.*no value",
    ),
    ("placement.tolerations", [{"key": "a", "tolerationSeconds": 5}], r"tolerations\[0\].*NoExecute"),
    ("placement.nodeSelector", {"a" * 64: "c"}, r"spec\.placement\.nodeSelector"),
    ("pod.securityContext", {"runAsUser": 0}, r"spec\.pod\.securityContext\.runAsUser"),
    ("pod.securityContext", {"privileged": True}, r"privileged"),
    ("pod.labels", {"tidegate.io/inferenceservice": "x"}, r"spec\.pod\.labels.*set by the operator"),
    ("pod.labels", {"sidecar.istio.io/inject": "true"}, r"spec\.pod\.labels.*set by the operator"),
    ("pod.annotations", {"linkerd.io/inject": "enabled"}, r"spec\.pod\.annotations.*set by the operator"),
    ("pod.volumes", [{"name": "h", "hostPath": {"path": "/"}}], r"hostPath is refused.*node's own files"),
    ("pod.volumes", [{"name": "tmp", "emptyDir": {}}], r"spec\.pod\.volumes\[0\]\.name.*operator's own"),
    ("pod.volumes", [{"name": "none"}], r"spec\.pod\.volumes\[0\].*exactly one"),
    ("pod", {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, r"volumeMounts.*spec\.pod\.volumes"),
    ("pod", MOUNTED | {"volumeMounts": [{"name": "a", "mountPath": "/tmp"}]}, r"mountPath.*else"),  # noqa: S108
    ("pod", MOUNTED | {"volumeMounts": [{"name": "a", "mountPath": "/dev/shm"}]}, r"mountPath.*else"),  # noqa: S108
    ("pod", MOUNTED | {"volumeMounts": [{"name": "a", "mountPath": "/a/../tmp"}]}, r"mountPath.*elsewhere"),
    ("cache", {}, r"spec\.cache.*exactly one of claim and node"),
    ("cache", {"node": False}, r"spec\.cache.*exactly one of claim and node"),
    ("cache", {"claim": "a", "node": True}, r"spec\.cache.*exactly one of claim and node"),
    ("cache", {"claim": "A"}, r"spec\.cache\.claim"),
    ("cache", {"claim": "a", "sizeLimit": "much"}, r"spec\.cache\.sizeLimit.*512Mi"),
    ("model.servedNames", [], r"spec\.model\.servedNames"),
    ("model.servedNames", ["a", "a"], r"spec\.model\.servedNames.*Duplicate"),
    ("model.servedNames", ["a b"], r"spec\.model\.servedNames\[0\].*must begin and end"),
    ("engine.args", ["--model", "x"], r"spec\.engine\.args.*set spec\.model\.uri"),
    ("engine.args", ["--served_model_name=x"], r"spec\.engine\.args.*set spec\.model\.servedNames"),
    ("engine.args", ["--config=vllm.yaml"], r"spec\.engine\.args.*one by one"),
    ("engine.args", ["--max-num-seqs=9"], r"spec\.engine\.args.*set spec\.engine\.maxConcurrency"),
    ("engine.args", ["-tp", "2"], r"spec\.engine\.args.*set spec\.resources\.accelerator\.count"),
    ("engine.args", ["--port", "80"], r"spec\.engine\.args.*port 8000"),
    ("engine.args", ["x"] * 65, r"spec\.engine\.args"),
    ("engine.env", [{"name": "A"}], r"spec\.engine\.env\[0\].*exactly one of value and valueFrom"),
    ("engine.env", [{"name": "A", "value": "1"}] * 2, r"spec\.engine\.env.*Duplicate"),
    ("engine.env", [{"name": "1A", "value": "1"}], r"spec\.engine\.env\[0\]\.name"),
    ("engine.maxConcurrency", 0, r"spec\.engine\.maxConcurrency"),
    ("engine.maxConcurrency", "8", r"spec\.engine\.maxConcurrency.*integer"),
    ("engine.readinessPath", "health", r"spec\.engine\.readinessPath.*must be a path"),
    ("engine.image", "https://a b", r"spec\.engine\.image.*must be an image's name"),
    ("engine.startupDeadlineSeconds", 5, r"spec\.engine\.startupDeadlineSeconds"),
    ("resources.cpu", "500m", r"spec\.resources\.cpu.*whole number of cores"),
    ("resources.cpu", 0, r"spec\.resources\.cpu.*whole number of cores"),
    ("resources.cpu", 1.5, r"spec\.resources\.cpu"),
    ("resources.memory", "much", r"spec\.resources\.memory.*512Mi"),
    ("resources.memory", "-1Gi", r"spec\.resources\.memory"),
    ("resources.ephemeralStorage", "0", r"spec\.resources\.ephemeralStorage"),
    ("resources.sharedMemory", "1024Mi", r"spec\.resources\.sharedMemory.*part of memory"),
    ("resources.accelerator", {"resource": "gpu", "count": 1}, r"accelerator\.resource"),
    ("resources.accelerator", GPU | {"count": 0}, r"accelerator\.count"),
    ("resources.accelerator", {"resource": "x.org/npu", "count": 1, "types": ["A"]}, r"accelerator\.types"),
    ("cpuIsolation", "Sometimes", r"spec\.cpuIsolation.*Required"),
    ("placement.nodeSelector", {"a b": "c"}, r"spec\.placement\.nodeSelector"),
    ("placement.tolerations", [{"effect": "NoSchedule"}], r"tolerations\[0\].*operator Exists"),
    ("rollout", "Blue", r"spec\.rollout"),
    ("suspend", "yes", r"spec\.suspend"),
    ("replicas", 2, r"spec\.replicas.*scaling\.mode"),
    ("scaling.mode", "External", r"spec\.replicas.*must be set"),
    ("scaling.mode", "Auto", r"spec\.scaling\.mode"),
    ("scaling.minReplicas", 2, r"spec\.scaling\.minReplicas.*not be more than maxReplicas"),
    ("scaling.minReplicas", -1, r"spec\.scaling\.minReplicas"),
    ("scaling.maxReplicas", 0, r"spec\.scaling\.maxReplicas"),
    ("scaling.idleTimeoutSeconds", -1, r"spec\.scaling\.idleTimeoutSeconds"),
    ("scaling.coldStartTimeoutSeconds", 0, r"spec\.scaling\.coldStartTimeoutSeconds"),
    ("scaling.scaleDownDelaySeconds", -1, r"spec\.scaling\.scaleDownDelaySeconds"),
    ("scaling.metric", {"concurrency": {"targetPerReplica": 1}}, r"spec\.scaling\.metric\.type.*Required"),
    ("scaling.metric", {"type": "QueueDelay"}, r"metric\.queueDelay.*must be set for type QueueDelay"),
    ("scaling.metric", {"type": "RequestCount"}, r"metric\.requestCount.*must be set for type RequestCount"),
    (
        "scaling.metric",
        {"type": "Concurrency", "queueDelay": {"targetMilliseconds": 9}},
        r"metric\.queueDelay.*and for no other",
    ),
    (
        "scaling.metric",
        {"type": "RequestCount", "requestCount": {"perReplica": 9}, "concurrency": {"targetPerReplica": 9}},
        r"metric\.concurrency.*belongs to type Concurrency",
    ),
    (
        "scaling.metric",
        {"type": "Concurrency", "concurrency": {"targetPerReplica": 33}},
        r"spec\.scaling\.metric\.concurrency\.targetPerReplica.*not be more than engine\.maxConcurrency",
    ),
    ("scaling.schedules", [OFFICE | {"cron": "0 9 * *"}], r"schedules\[0\]\.cron.*must be five fields"),
    ("scaling.schedules", [OFFICE | {"cron": "0 9 * * 8"}], r"schedules\[0\]\.cron.*must be five fields"),
    ("scaling.schedules", [OFFICE | {"cron": "5/15 * * * *"}], r"schedules\[0\]\.cron.*must be five"),
    ("scaling.schedules", [OFFICE, OFFICE | {"timeZone": "../UTC"}], r"schedules\[1\]\.timeZone.*IANA"),
    ("scaling.schedules", [OFFICE | {"forSeconds": 0}], r"schedules\[0\]\.forSeconds"),
    ("scaling.schedules", [OFFICE | {"minReplicas": 2}], r"spec\.scaling\.schedules.*more than maxReplicas"),
    ("scaling.schedules", [OFFICE] * 17, r"spec\.scaling\.schedules.*16 items"),
    ("pricing", PRICE | {"perReplicaHour": "0,40"}, r"spec\.pricing\.perReplicaHour.*in quotes"),
    ("pricing", PRICE | {"perReplicaHour": 0.4}, r"spec\.pricing\.perReplicaHour.*string"),
    ("pricing", PRICE | {"currency": "Dollar"}, r"spec\.pricing\.currency.*ISO 4217"),
    ("pricing", {"perReplicaHour": "1"}, r"spec\.pricing\.currency.*Required"),
    ("queue.maxDepth", 0, r"spec\.queue\.maxDepth"),
    ("queue.maxDepth", 100001, r"spec\.queue\.maxDepth"),
    ("queue.maxBytes", "lots", r"spec\.queue\.maxBytes"),
    ("queue.waitTimeoutSeconds", 0, r"spec\.queue\.waitTimeoutSeconds"),
    ("queue.executionTimeoutSeconds", 86401, r"spec\.queue\.executionTimeoutSeconds"),
    ("queue.retryAfterSeconds", 0, r"spec\.queue\.retryAfterSeconds"),
    ("degradation", {"maxTokens": 0}, r"spec\.degradation\.maxTokens"),
    ("degradation", {"steps": STEPS[::-1]}, r"spec\.degradation\.steps.*must ascend"),
    ("degradation", {"steps": [STEPS[0], STEPS[0] | {"maxTokens": 9}]}, r"degradation\.steps.*must ascend"),
    ("degradation", {"steps": [STEPS[0], {"above": 64, "maxTokens": 128}]}, r"steps.*less and less"),
    ("slo", {}, r"spec\.slo.*at least one of execP50Seconds"),
    ("slo", {"execP50Seconds": "3", "execP95Seconds": "2.9"}, r"slo\.execP50Seconds.*not be more than"),
    ("slo", {"totalP50Seconds": "10", "totalP95Seconds": "9"}, r"slo\.totalP50Seconds.*not be more than"),
    ("slo", {"delayP50Seconds": "0.0"}, r"spec\.slo\.delayP50Seconds.*more than zero"),
    ("slo", {"ttftP95Seconds": "2s"}, r"spec\.slo\.ttftP95Seconds.*must be seconds"),
    ("slo", {"execP50Seconds": "fast", "execP95Seconds": "2"}, r"^(?!.*evaluating rule).*must be seconds"),
    ("slo", {"ttftP95Seconds": 2}, r"spec\.slo\.ttftP95Seconds.*string"),
    ("slo", {"successRatio": "1.01"}, r"spec\.slo\.successRatio.*share from 0 to 1"),
    ("slo", {"tokensPerSecond": 0}, r"spec\.slo\.tokensPerSecond"),
    ("degradation", {"maxTokens": 100, "steps": STEPS}, r"spec\.degradation\.maxTokens.*must not be less"),
]

ACCEPTED: list[tuple[str, Any]] = [
    ("model.uri", "s3://bucket"),
    ("model.uri", "s3://my.bucket/llama-3/8b/"),
    ("model.uri", "oci://registry.example.org:5000/models/qwen:v1"),
    ("model.uri", "oci://example.org/a@sha256:" + "0" * 64),
    ("model", {"uri": "hf://a/b", "revision": "", "secretRef": {"name": "hf-token"}}),
    ("model", {"uri": "s3://bucket/a", "secretRef": {"name": "keys"}}),
    ("placement", {"affinity": {}, "runtimeClassName": "", "priorityClassName": "", "tolerations": []}),
    ("resources.accelerator", {"resource": "nvidia.com/mig-1g.10gb", "count": 1}),
    ("resources.accelerator", {"resource": "gpu.intel.com/i915", "count": 2}),
    ("engine.args", ["--max-num-batched-tokens", "8192", "--pipeline-parallel-size", "2"]),
    ("pod", MOUNTED | {"volumeMounts": [{"name": "a", "mountPath": "/tmp/huggingface"}]}),  # noqa: S108
    ("model.uri", "pvc://models/minilm/v1"),
    ("model.uri", "file:///opt/model"),
    ("resources.cpu", "4"),
    ("resources.memory", 2**30),
    ("resources.sharedMemory", "512Mi"),
    ("resources.accelerator", GPU | {"types": ["NVIDIA-L4"]}),
    ("engine.args", ["--dtype", "half", "--max-model-len=4096", "--model-impl", "auto"]),
    ("engine.env", [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]),
    ("placement.tolerations", [{"operator": "Exists"}]),
    ("placement.nodeSelector", {"topology.kubernetes.io/zone": "a"}),
    ("queue.retryAfterSeconds", None),
    ("degradation", {}),
    ("degradation", {"maxTokens": 128, "steps": STEPS}),
    ("degradation", {"maxTokens": 200, "steps": []}),
    ("slo", {"execP50Seconds": "3", "execP95Seconds": "3.0", "successRatio": "0.999"}),
    ("slo", {"successRatio": "1"}),
    ("scaling", {"minReplicas": 2, "maxReplicas": 2, "idleTimeoutSeconds": 0}),
    ("scaling.metric", {"type": "Concurrency"}),
    ("scaling.metric", {"type": "Concurrency", "concurrency": {"targetPerReplica": 32}}),
    ("scaling.metric", {"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 500}}),
    ("scaling.metric", {"type": "RequestCount", "requestCount": {"perReplica": 100}}),
    (
        "scaling.schedules",
        [OFFICE, OFFICE | {"cron": "*/5 8-18/2 1,15 jan-DEC 5-7", "timeZone": "Etc/GMT+7"}],
    ),
    ("pricing", PRICE),
    ("pricing", {"perReplicaHour": "0", "currency": "VND"}),
    ("cache", {"claim": "models", "sizeLimit": "200Gi"}),
    ("cache", {"node": True}),
]


def manifest(world: World, name: str = "one", **spec: Any) -> Json:
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {**copy.deepcopy(LEAST), **spec},
    }


def with_value(world: World, path: str, value: Any) -> Json:
    found = manifest(world)
    parent = found["spec"]
    *way, last = path.split(".")
    for step in way:
        parent = parent.setdefault(step, {})
    parent[last] = value
    return found


async def create(world: World, body: Json) -> Json:
    """As kubectl does: what the schema does not know is refused."""
    path = f"{paths.inference_services(world.namespace)}?fieldValidation=Strict"
    return await world.kube.create(path, body, field_manager="tests")


@pytest.mark.parametrize(
    ("count", "args", "taken"),
    [
        (4, ["--pipeline-parallel-size", "2"], True),
        (4, ["--pipeline-parallel-size=3"], False),
        (4, ["-pp", "3"], False),
        (4, ["-pp", "3", "-pp", "2"], True),
        (8, ["--data_parallel_size", "2", "-pp=2"], True),
        (8, ["--data_parallel_size", "2", "-pp=3"], False),
        (3, ["--chat-template", "say --pipeline-parallel-size 2 now"], True),
    ],
)
async def test_the_devices_must_divide_by_what_the_arguments_take(
    world: World, count: int, args: list[str], taken: bool
) -> None:
    body = with_value(world, "resources.accelerator", {"resource": "nvidia.com/gpu", "count": count})
    body["spec"]["engine"] = {"args": args}
    if taken:
        await create(world, body)
    else:
        with pytest.raises(InvalidError, match=r"spec\.resources\.accelerator\.count.*multiple"):
            await create(world, body)


@pytest.mark.parametrize(
    ("uri", "pod", "message"),
    [
        ("pvc://a/b", {}, r"spec\.cache\.sizeLimit.*bounds downloaded models"),
        ("oci://example.org/a:1", {}, r"spec\.cache\.sizeLimit.*the node's images"),
        ("hf://a/b", {"volumes": [{"name": "cache", "emptyDir": {}}]}, r"spec\.cache.*operator's own"),
        (
            "hf://a/b",
            MOUNTED | {"volumeMounts": [{"name": "a", "mountPath": "/cache/x"}]},
            r"spec\.cache.*operator's own",
        ),
    ],
)
async def test_what_does_not_go_with_a_cache_is_refused(
    world: World, uri: str, pod: Json, message: str
) -> None:
    body = with_value(world, "cache", {"claim": "models", "sizeLimit": "10Gi"})
    body["spec"] |= {"model": {"uri": uri}, "pod": pod}
    with pytest.raises(InvalidError, match=f"(?s){message}"):
        await create(world, body)


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
async def test_what_is_wrong_is_refused_with_the_fields_name(
    world: World, path: str, value: Any, message: str
) -> None:
    with pytest.raises(InvalidError, match=f"(?s){message}"):
        await create(world, with_value(world, path, value))


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
async def test_what_is_right_is_taken(world: World, path: str, value: Any) -> None:
    await create(world, with_value(world, path, value))


@pytest.mark.parametrize("name", ["a" * 51, "1a", "a.b"])
async def test_a_name_of_which_no_host_can_be_made_is_refused(world: World, name: str) -> None:
    with pytest.raises(InvalidError, match=r"metadata\.name must be a DNS label of at most 50 characters"):
        await create(world, manifest(world, name))


async def test_the_defaults_are_filled_in_and_no_other(world: World) -> None:
    stored = await create(world, manifest(world))
    assert stored["spec"] == {
        **LEAST,
        "engine": {"maxConcurrency": 32, "readinessPath": "/v1/models", "startupDeadlineSeconds": 900},
        "cpuIsolation": "Preferred",
        "rollout": "Replace",
        "suspend": False,
        "scaling": {
            "mode": "Managed",
            "minReplicas": 0,
            "maxReplicas": 1,
            "idleTimeoutSeconds": 180,
            "coldStartTimeoutSeconds": 300,
        },
        "queue": {"maxBytes": "64Mi", "waitTimeoutSeconds": 120, "executionTimeoutSeconds": 300},
        "routing": {"policy": "LeastInFlight", "retryUnstarted": True},
    }


async def test_a_change_of_the_spec_counts_a_generation_and_one_of_the_status_does_not(world: World) -> None:
    await create(world, manifest(world))
    path = paths.inference_service(world.namespace, "one")
    status = {"status": {"phase": "Idle"}, "spec": {"suspend": True}}
    after = await world.kube.merge_patch(f"{path}/status", status, field_manager="tests")
    assert (after["metadata"]["generation"], after["spec"]["suspend"]) == (1, False)
    after = await world.kube.merge_patch(path, {"spec": {"suspend": True}}, field_manager="tests")
    assert after["metadata"]["generation"] == 2


def kubectl(server: ApiServer, *arguments: str) -> str:
    environment = os.environ | {"KUBECONFIG": str(server.kubeconfig)}
    done = subprocess.run(
        ["kubectl", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_kubectl_explain_needs_no_other_page(server: ApiServer, kube: KubeClient) -> None:
    text = " ".join(kubectl(server, "explain", "inferenceservice.spec.scaling.idleTimeoutSeconds").split())
    assert "Seconds without activity" in text
    assert "the last request arrived, the last request ended" in text
    assert "Zero: sleep as soon as nothing waits or runs" in text
    assert "Default: 180" in text


async def test_kubectl_get_shows_the_columns(server: ApiServer, world: World) -> None:
    await create(world, manifest(world))
    status = {
        "phase": "Running",
        "ready": "1/1",
        "model": "qwen",
        "url": "http://here",
        "isolation": "Exclusive",
        "queue": {"limit": 128, "source": "Default", "summary": "12/128"},
        "coldStarts": {"count": 1, "lastSeconds": "38"},
        "cost": {"perHour": "1.20", "currency": "USD"},
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Ready",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    path = paths.inference_service_status(world.namespace, "one")
    await world.kube.merge_patch(path, {"status": status}, field_manager="tests")
    table = kubectl(server, "get", "infsvc", "-n", world.namespace).splitlines()
    assert table[0].split() == ["NAME", "PHASE", "READY", "QUEUE", "MODEL", "REASON", "AGE"]
    assert table[1].split()[:6] == ["one", "Running", "1/1", "12/128", "qwen", "Ready"]
    wide = kubectl(server, "get", "inference", "-o", "wide", "-n", world.namespace).splitlines()
    assert wide[0].split()[7:] == ["URL", "ISOLATION", "COST/H", "COLD"]
    assert wide[1].split()[7:] == ["http://here", "Exclusive", "1.20", "38"]


async def test_kubectl_scale_is_followed_in_external_and_told_why_not_in_managed(
    server: ApiServer, world: World
) -> None:
    await create(world, manifest(world, "managed"))
    await create(world, manifest(world, "external", scaling={"mode": "External"}, replicas=0))
    where = ("-n", world.namespace)
    kubectl(server, "scale", "inferenceservice/external", "--replicas=3", *where)
    assert kubectl(server, "get", "infsvc/external", *where, "-o", "jsonpath={.spec.replicas}") == "3"
    with pytest.raises(AssertionError, match=r"replicas cannot be set while scaling\.mode is Managed"):
        kubectl(server, "scale", "inferenceservice/managed", "--replicas=3", *where)
    assert kubectl(server, "get", "infsvc/managed", *where, "-o", "jsonpath={.spec.replicas}") == ""
