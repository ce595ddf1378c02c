"""Services whose model comes from a store into a cache, and what is done and seen beside them on the node."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from tests.e2e.kubectl import Kubectl, Object, eventually
from tests.e2e.model_store import GATED, MODEL, SIZE
from tests.e2e.services import ENGINE_SIM, Services, simulated

ROOT_FOLDER = "/tmp/tidegate-e2e"  # noqa: S108  of the node: its parent is there on every node
NODE_CACHES = "nodes"  # in it: what values.yaml names as cache.nodePath
# Takes the namespace's folder away, and those above it that are empty then.
CLEAN_UP = """
shutil.rmtree(folder, ignore_errors=True)
try:
    os.removedirs(os.path.dirname(folder))
except OSError:
    pass  # somebody else's folder is in it, or it is the node's own
"""


def cached(name: str, namespace: str, store: str, **cache: object) -> Object:
    """A service that is awake from the beginning, and whose model comes from the store into the cache."""
    manifest = simulated(name, namespace, HF_ENDPOINT=store)
    manifest["spec"] |= {"model": {"uri": f"hf://{MODEL}"}, "cache": {**cache, "sizeLimit": "1Gi"}}
    manifest["spec"]["scaling"] |= {"minReplicas": 1}
    return manifest


def administrator(kubectl: Kubectl, namespace: str, script: str, below: str = "") -> None:
    """Runs Python as root on the node. ``folder`` is the namespace's own of the tests' folder there, or of
    a folder ``below`` it."""
    name = f"administrator-{namespace}"
    root = PurePosixPath(ROOT_FOLDER)
    folder = PurePosixPath("/node", root.name, below, namespace)
    container = {
        "name": "administrator",
        "image": ENGINE_SIM,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", f"import os, shutil\nfolder = '{folder}'\n{script}"],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    volume = {"name": "node", "hostPath": {"path": str(root.parent), "type": "Directory"}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [volume]}
    metadata = {"name": name, "namespace": "default"}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    where = (f"pod/{name}", "-n", "default")
    try:
        kubectl.run("wait", *where, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s", timeout=100)
    finally:
        kubectl.run("delete", *where, "--wait=true", "--grace-period=1", timeout=90)


def told_why(services: Services, name: str, reason: str, words: str) -> None:
    """Waits until Ready has this reason and, at the same look, these words: a next try may begin at once."""

    def told() -> bool:
        ready = services.condition(name, "Ready")
        return ready.get("reason") == reason and words in ready.get("message", "")

    eventually(told, f"{reason}, with {words}", seconds=120)


def in_engine(kubectl: Kubectl, services: Services, name: str, script: str) -> str:
    """What a Python script prints in the engine's container of a service's worker."""
    [pod] = [each for each in services.pods(name) if "deletionTimestamp" not in each["metadata"]]
    where = (pod["metadata"]["name"], "-c", "engine", "-n", services.namespace)
    return kubectl.run("exec", *where, "--", "python3", "-c", script).strip()


def digest_in_engine(kubectl: Kubectl, services: Services, name: str) -> str:
    """The digest of the model's last file as the engine sees it."""
    script = (
        "import glob, hashlib, pathlib\n"
        f"(found,) = glob.glob('/tmp/cached/*/{GATED}')\n"
        "print(hashlib.sha256(pathlib.Path(found).read_bytes()).hexdigest())"
    )
    return in_engine(kubectl, services, name, script)


def digest_in_store() -> str:
    """The digest of that file as it should be."""
    weights = bytes(range(250)) * (SIZE // 250)
    return hashlib.sha256(weights[::-1]).hexdigest()
