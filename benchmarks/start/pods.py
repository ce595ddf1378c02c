"""Starts in pods of the development cluster, Guaranteed, with one core of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from start.asking import first_answer, until_ready
from start.milestones import parts
from start.subjects import FLAGS, NOTES, PORT, STOCK_ENVIRONMENT, STOCK_MODULE, Subject
from tests.e2e.conftest import TOOL, tool_environment
from tests.e2e.kubectl import Kubectl, Object, eventually

IMAGE = "tidegate.local/worker-cpu:dev"
MODEL = "/models/tiny-chat"
NAMESPACE = "bench-start"
TMP = "/tmp"  # noqa: S108 - the pod's own volume
TICKS = os.sysconf("SC_CLK_TCK")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$")
COPY = f"""
import shutil, sysconfig
shutil.copytree(sysconfig.get_path("purelib") + "/{NOTES}", "/tmp/.cache/vllm/modelinfos")
"""
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@contextmanager
def pod_starts() -> Iterator[PodStarts]:
    """The cluster with the worker's image; whatever was not there before is gone after the block."""
    status = subprocess.run([*TOOL, "status"], stdout=subprocess.DEVNULL, timeout=60, check=False)
    try:
        _tool("up")
        _tool("images", "worker")
        kubectl = Kubectl(tool_environment())
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield PodStarts(kubectl)
        kubectl.run("delete", "namespace", NAMESPACE, "--wait=false")
    finally:
        if status.returncode:
            _tool("down")


class PodStarts:
    """Starts subjects one after the other, each in a pod of its own."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def __call__(self, subject: Subject) -> dict[str, Any]:
        """One start: seconds to ready, of each part, and of the first answer."""
        name = f"{subject.name.replace('_', '-')}-{uuid.uuid4().hex[:6]}"
        self._kubectl.apply(pod(subject, name))
        try:
            return self._measured(name)
        finally:
            self._run("delete", "pod", name, "--grace-period=1", "--wait=true", "--timeout=100s")

    def _measured(self, name: str) -> dict[str, Any]:
        eventually(lambda: bool(self._address(name)), f"{name} has an address", seconds=120)
        address = self._address(name)
        until_ready(address, lambda: self._get(name)["phase"] in ("Pending", "Running"))
        ready = time.clock_gettime(time.CLOCK_BOOTTIME)
        answer = first_answer(address)
        start = self._began(name)
        told = parts(self._log(name), start, ready)
        return {"ready_seconds": round(ready - start, 3), "first_answer_seconds": answer} | told

    def _began(self, name: str) -> float:
        """When the container's first process was started, on the machine's own clock since its start: all
        nodes are this machine."""
        fields = (
            self._run("exec", name, "-c", "engine", "--", "cat", "/proc/1/stat").rpartition(")")[2].split()
        )
        return int(fields[19]) / TICKS

    def _log(self, name: str) -> list[tuple[float, str]]:
        """The log's lines with the moments when the node took them, on the same clock."""
        offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        found = []
        for line in self._run("logs", name, "-c", "engine", "--timestamps").splitlines():
            stamp, _, text = line.partition(" ")
            if not STAMP.match(stamp):  # behind a progress bar's carriage return
                continue
            moment = datetime.fromisoformat(stamp[:26].rstrip("Z") + "+00:00")  # to the microsecond
            found.append((moment.timestamp() - offset, text))
        return found

    def _address(self, name: str) -> str:
        return str(self._get(name).get("podIP") or "")

    def _get(self, name: str) -> Any:
        return self._kubectl.get("pod", name, "-n", NAMESPACE)["status"]

    def _run(self, *words: str) -> str:
        return self._kubectl.run(*words[:1], "-n", NAMESPACE, *words[1:], timeout=120)


def pod(subject: Subject, name: str) -> Object:
    """The pod; the class Guaranteed and whole cores give it a core of its own."""
    engine = _container("engine") | {"args": ["--model", MODEL, "--port", str(PORT), *FLAGS]}
    if not subject.ours:
        engine["command"] = ["python3", *STOCK_MODULE]
        engine["env"] = [{"name": key, "value": value} for key, value in STOCK_ENVIRONMENT.items()]
    notes = [_container("notes") | {"command": ["python3", "-c", COPY]}] if subject.noted else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "initContainers": notes,
            "containers": [engine],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def _container(name: str) -> Object:
    amounts = {"cpu": "1", "memory": "4Gi"}
    return {
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "tmp", "mountPath": TMP}],
    }


def _tool(*words: str) -> None:
    """The development cluster's tool; SystemExit where it fails, its own words are on stderr."""
    done = subprocess.run([*TOOL, *words], stdout=sys.stderr, timeout=3000, check=False)
    if done.returncode:
        raise SystemExit(f"tidegate.devcluster {' '.join(words)} ended with {done.returncode}")
