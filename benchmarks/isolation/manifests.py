"""The pods of the benchmark: workers, noise, other inference pods. Pure builders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isolation.cases import CAPTCHA, FORKS, INT32, MEMORY, NEIGHBOURS, Noise, Placement, Workload

Json = dict[str, Any]
NAMESPACE = "bench-isolation"
CODE = "unary-worker"  # the ConfigMap
WORKER_IMAGE, NOISE_IMAGE = "tidegate.local/worker-cpu:dev", "tidegate.local/noise:dev"
PORT = 8000
NOISE_REQUEST, NOISE_LIMIT = "80m", "1"  # asks for little, may use much: as batch pods do
NOISE_SECONDS = 300  # after which noise ends by itself, whatever became of the benchmark
MEMORY_LIMIT = {"unary": "1Gi", "chat": "3Gi", "embeddings": "3Gi"}
_BUSY = "/tmp/busy"  # noqa: S108 - in the pod; unary_worker.py makes it
_MODEL_ENV = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
_STRESS = ["stress-ng", "--temp-path", "/tmp", "--timeout", f"{NOISE_SECONDS}s"]  # noqa: S108 - in its pod
_VLLM = ["python3", "/opt/tidegate/entrypoint.py", "--host=0.0.0.0", f"--port={PORT}", "--enforce-eager"]
_COMMANDS: Mapping[Workload, Sequence[str]] = {
    "unary": ["python3", "/bench/unary_worker.py", "serve"],
    "chat": [
        *_VLLM,
        "--model=/models/tiny-chat",
        "--served-model-name=chat",
        "--max-model-len=4096",
        "--max-num-seqs=4",
    ],
    "embeddings": [
        *_VLLM,
        "--model=/models/minilm",
        "--served-model-name=minilm",
        "--runner=pooling",
        "--dtype=float32",
        "--max-num-seqs=32",
    ],
}


def namespace() -> Json:
    """Where everything is made, and what is deleted at the end."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def code() -> Json:
    """The unary worker's program, for its pods to mount."""
    text = Path(__file__).with_name("unary_worker.py").read_text()
    metadata = {"name": CODE, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"unary_worker.py": text}}


def worker_pod(name: str, workload: Workload, placement: Placement, minilm: str) -> Json:
    """A worker; ``minilm`` is the folder of the embedding model on the node."""
    env = dict(_MODEL_ENV)
    if placement.threads is not None:
        env |= {"OMP_NUM_THREADS": str(placement.threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    container = {
        "name": "engine",
        "image": WORKER_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(_COMMANDS[workload]),
        "env": _env(env),
        "resources": _resources(placement, MEMORY_LIMIT[workload]),
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in _MOUNTS[workload].items()],
    }
    volumes = [_volume(name, minilm) for name in _MOUNTS[workload]]
    return _pod(name, placement.node, container, volumes)


def noise_pod(number: int, noise: Noise, node: str) -> Json:
    """One noisy pod of several. It ends by itself after NOISE_SECONDS."""
    inference = noise.kind == NEIGHBOURS
    container: Json = {
        "name": "noise",
        "image": WORKER_IMAGE if inference else NOISE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": noise_command(noise.kind),
        "resources": {
            "requests": {"cpu": NOISE_REQUEST, "memory": "64Mi"},
            "limits": {"cpu": NOISE_LIMIT, "memory": "1Gi"},
        },
    }
    volumes: list[Json] = []
    if inference:
        container["volumeMounts"] = [{"name": "bench", "mountPath": "/bench"}]
        container["readinessProbe"] = {"exec": {"command": ["test", "-e", _BUSY]}, "periodSeconds": 1}
        volumes = [_volume("bench", "")]
    manifest = _pod(f"noise-{number}", node, container, volumes)
    manifest["spec"]["activeDeadlineSeconds"] = NOISE_SECONDS + 30
    return manifest


def noise_command(kind: str) -> list[str]:
    """What a noisy pod runs."""
    commands = {
        CAPTCHA: ["python3", "/opt/noise/captcha.py", "4", str(NOISE_SECONDS)],
        INT32: [*_STRESS, "--cpu", "2", "--cpu-method", "int32"],
        MEMORY: [*_STRESS, "--stream", "2"],
        FORKS: [*_STRESS, "--fork", "2"],
        NEIGHBOURS: ["python3", "/bench/unary_worker.py", "busy", str(NOISE_SECONDS)],
    }
    return commands[kind]


_MOUNTS: Mapping[Workload, Mapping[str, str]] = {
    "unary": {"bench": "/bench"},
    "chat": {"shm": "/dev/shm"},  # noqa: S108 - a memory volume of the pod
    "embeddings": {"shm": "/dev/shm", "minilm": "/models/minilm"},  # noqa: S108
}


def _volume(name: str, minilm: str) -> Json:
    kinds: dict[str, Json] = {
        "bench": {"configMap": {"name": CODE}},
        "shm": {"emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}},
        "minilm": {"hostPath": {"path": minilm, "type": "Directory"}},
    }
    return {"name": name, **kinds[name]}


def _resources(placement: Placement, memory: str) -> Json:
    """Guaranteed where request and limit are the same."""
    limits = {"memory": memory} | ({"cpu": placement.limit} if placement.limit else {})
    return {"requests": {"cpu": placement.request, "memory": memory}, "limits": limits}


def _env(values: Mapping[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _pod(name: str, node: str, container: Json, volumes: list[Json]) -> Json:
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": volumes,
    }
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
