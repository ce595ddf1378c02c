"""Two pods fill one cache at once, one of them is killed half way: one whole copy, nothing fetched twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.kubectl import CommandError, Kubectl, Object, eventually
from tests.e2e.model_store import GATED, MODEL, SIZE, open_store, told
from tests.e2e.services import ENGINE_SIM, Services, simulated
from tests.e2e.small_workers import forget, make_small

CLAIM = "models"
NODE_FOLDER = "/tmp"  # noqa: S108  of the node: it is there, so a test can take away all that it has made


@pytest.fixture
def small(kubectl: Kubectl, services: Services) -> Iterator[None]:
    """Two workers fit on a node that has one core to give."""
    try:
        if not make_small(kubectl, services.namespace):
            pytest.skip("this cluster cannot make workers small, and two of them do not fit")
        yield
    finally:
        forget(kubectl, services.namespace)


def administrator(kubectl: Kubectl, namespace: str, script: str) -> None:
    """Runs Python as root on the node; ``folder`` is that of the test's volume."""
    name = f"administrator-{namespace}"
    program = f"import os, shutil\nfolder = '/node/{volume_folder(namespace)}'\n{script}"
    container = {
        "name": "administrator",
        "image": ENGINE_SIM,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
    }
    volume = {"name": "node", "hostPath": {"path": NODE_FOLDER, "type": "Directory"}}
    spec = {"restartPolicy": "Never", "containers": [container], "volumes": [volume]}
    metadata = {"name": name, "namespace": "default"}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    where = (f"pod/{name}", "-n", "default")
    try:
        kubectl.run("wait", *where, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s", timeout=100)
    finally:
        kubectl.run("delete", *where, "--wait=true", "--grace-period=1", timeout=90)


def volume_folder(namespace: str) -> str:
    """The name of the folder on the node that is the test's volume."""
    return f"tidegate-e2e-{namespace}"


def bound_claim(namespace: str) -> tuple[Object, Object]:
    """A claim with a folder of the node, that only root can write to."""
    spec = {"accessModes": ["ReadWriteMany"], "storageClassName": f"e2e-{namespace}"}
    size = {"storage": "1Gi"}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"cache-{namespace}"},
        "spec": {
            **spec,
            "capacity": size,
            "hostPath": {"path": f"{NODE_FOLDER}/{volume_folder(namespace)}", "type": "DirectoryOrCreate"},
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": {**spec, "volumeName": f"cache-{namespace}", "resources": {"requests": size}},
    }
    return volume, claim


@contextmanager
def volume(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """The claim, and at the end nothing of its volume."""
    kubectl.apply(*bound_claim(namespace))
    try:
        yield
    finally:
        kubectl.run("delete", "pv", f"cache-{namespace}", "--wait=false", "--ignore-not-found")
        administrator(kubectl, namespace, "shutil.rmtree(folder, ignore_errors=True)")


def cached(name: str, namespace: str, store: str) -> Object:
    """A service that is awake from the beginning, and whose model comes from the store into the cache."""
    manifest = simulated(name, namespace, HF_ENDPOINT=store)
    manifest["spec"] |= {"model": {"uri": f"hf://{MODEL}"}, "cache": {"claim": CLAIM, "sizeLimit": "1Gi"}}
    manifest["spec"]["scaling"] |= {"minReplicas": 1}
    return manifest


def pods_with(kubectl: Kubectl, services: Services, event: str) -> list[str]:
    """The workers whose filler has said this."""
    found = []
    for pod in [each for name in ("one", "two") for each in services.pods(name)]:
        name = pod["metadata"]["name"]
        try:
            log = kubectl.run("logs", name, "-c", "cache", "-n", services.namespace)
        except CommandError:  # not started yet, or gone meanwhile
            continue
        if f'"{event}"' in log and "deletionTimestamp" not in pod["metadata"]:
            found.append(name)
    return found


def in_engine(kubectl: Kubectl, services: Services, name: str, script: str) -> str:
    """What a Python script prints in the engine's container of a service's worker."""
    [pod] = [each for each in services.pods(name) if "deletionTimestamp" not in each["metadata"]]
    where = (pod["metadata"]["name"], "-c", "engine", "-n", services.namespace)
    return kubectl.run("exec", *where, "--", "python3", "-c", script).strip()


def test_two_pods_fill_one_cache_and_one_is_killed_half_way(
    kubectl: Kubectl, services: Services, small: None
) -> None:
    namespace = services.namespace
    store = open_store(kubectl, namespace)
    with volume(kubectl, namespace):
        services.apply(cached("one", namespace, store))
        reason = "CacheNotWritable"
        eventually(lambda: services.condition("one", "Ready").get("reason") == reason, reason, seconds=120)
        assert f"the claim {CLAIM}" in services.condition("one", "Ready")["message"]
        administrator(kubectl, namespace, "os.chown(folder, 1000, 1000)")

        services.apply(cached("two", namespace, store))
        eventually(lambda: bool(told(kubectl, namespace)["reached"]), "a file is half there", seconds=180)
        eventually(lambda: bool(pods_with(kubectl, services, "waiting")), "the other waits", seconds=180)
        [holder] = pods_with(kubectl, services, "fetching")
        kubectl.run("delete", "pod", holder, "-n", namespace, "--grace-period=1", timeout=90)
        told(kubectl, namespace, "/open")
        for name in ("one", "two"):
            services.wait_phase(name, "Running", seconds=180)

        sent = told(kubectl, namespace)["sent"]
        assert sent["model-1.safetensors"] == SIZE
        assert sent["config.json"] < 100
        assert sent[GATED] < 2 * SIZE
        script = "import os; print(*sorted(os.listdir('/cache/models')))"
        (model,) = in_engine(kubectl, services, "one", script).split()
        assert model.startswith("hf--acme--chat--")
        for name in ("one", "two"):
            assert in_engine(kubectl, services, name, _digest(GATED)) == _expected()
            with pytest.raises(CommandError, match="Read-only file system"):
                in_engine(kubectl, services, name, "open('/cache/models/new', 'w')")
            in_engine(kubectl, services, name, "open('/cache/compile/new', 'w')")
        for name in ("one", "two"):
            kubectl.run("delete", "inferenceservices.tidegate.io", name, "-n", namespace)
        eventually(lambda: not services.pods("one") + services.pods("two"), "no worker is left", seconds=90)


def _digest(file: str) -> str:
    return (
        "import glob, hashlib, pathlib\n"
        f"(found,) = glob.glob('/tmp/cached/*/{file}')\n"
        "print(hashlib.sha256(pathlib.Path(found).read_bytes()).hexdigest())"
    )


def _expected() -> str:
    weights = bytes(range(250)) * (SIZE // 250)
    return hashlib.sha256(weights[::-1]).hexdigest()
