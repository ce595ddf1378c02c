"""Two pods fill one cache at once, one of them is killed half way: one whole copy, nothing fetched twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.cached_models import (
    CLEAN_UP,
    ROOT_FOLDER,
    administrator,
    cached,
    digest_in_engine,
    digest_in_store,
    in_engine,
    told_why,
)
from tests.e2e.kubectl import CommandError, Kubectl, Object, eventually
from tests.e2e.model_store import GATED, SIZE, open_store, told
from tests.e2e.services import Services

CLAIM = "models"


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
            "hostPath": {"path": f"{ROOT_FOLDER}/{namespace}", "type": "DirectoryOrCreate"},
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
        administrator(kubectl, namespace, CLEAN_UP)


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


def test_two_pods_fill_one_cache_and_one_is_killed_half_way(
    kubectl: Kubectl, services: Services, room_for_two: None
) -> None:
    namespace = services.namespace
    store = open_store(kubectl, namespace)
    with volume(kubectl, namespace):
        services.apply(cached("one", namespace, store, claim=CLAIM))
        told_why(services, "one", "CacheNotWritable", f"the claim {CLAIM}")
        administrator(kubectl, namespace, "os.chown(folder, 1000, 1000)")

        services.apply(cached("two", namespace, store, claim=CLAIM))
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
            assert digest_in_engine(kubectl, services, name) == digest_in_store()
            with pytest.raises(CommandError, match="Read-only file system"):
                in_engine(kubectl, services, name, "open('/cache/models/new', 'w')")
            in_engine(kubectl, services, name, "open('/cache/compile/new', 'w')")
        for name in ("one", "two"):
            kubectl.run("delete", "inferenceservices.tidegate.io", name, "-n", namespace)
        eventually(lambda: not services.pods("one") + services.pods("two"), "no worker is left", seconds=90)
