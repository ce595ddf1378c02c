"""The pod of one start: a pure builder."""

from __future__ import annotations

from typing import Any

from start.subjects import ENVIRONMENT, FLAGS, NOTES, PORT, STOCK_MODULE, Subject

Json = dict[str, Any]
IMAGE = "tidegate.local/worker-cpu:dev"
MODEL = "/models/tiny-chat"
NAMESPACE = "bench-start"
ENGINE = "engine"
TMP = "/tmp"  # noqa: S108 - the pod's own volume
# Stock vLLM computes in a process of its own also on one core, and does not start with the 64 MiB that a
# container runtime gives: the queues between its processes have 160 and 240. The worker needs none of it on
# one core.
SHARED = {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}}
SHARED_PATH = "/dev/shm"  # noqa: S108 - the pod's own volume
COPY = f"""
import shutil, sysconfig
shutil.copytree(sysconfig.get_path("purelib") + "/{NOTES}", "{TMP}/.cache/vllm/modelinfos")
"""
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def namespace() -> Json:
    """Where the pods are made, under the restricted Pod Security Standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def pod(subject: Subject, name: str) -> Json:
    """The pod: as the operator makes a worker's, without its probes. The class Guaranteed and a whole core
    give it a core of its own; with stock vLLM only the command is another."""
    engine = _container(ENGINE) | {"args": ["--model", MODEL, "--port", str(PORT), *FLAGS]}
    engine["env"] = [{"name": key, "value": value} for key, value in ENVIRONMENT.items()]
    if not subject.ours:
        engine["command"] = ["python3", *STOCK_MODULE]
    notes = [_container("notes") | {"command": ["python3", "-c", COPY]}] if subject.noted else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "initContainers": notes,
            "containers": [engine],
            "volumes": [{"name": "tmp", "emptyDir": {}}, SHARED],
        },
    }


def _container(name: str) -> Json:
    amounts = {"cpu": "1", "memory": "4Gi"}
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": CONFINED,
        "volumeMounts": [
            {"name": "tmp", "mountPath": TMP},
            {"name": "shm", "mountPath": SHARED_PATH},
        ],
    }
