"""The node's folder for models: one for each namespace that may have it, one download for all its workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.cached_models import (
    CLEAN_UP,
    NODE_CACHES,
    administrator,
    cached,
    digest_in_engine,
    digest_in_store,
    in_engine,
    told_why,
)
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.model_store import GATED, SIZE, open_store, told
from tests.e2e.services import Services

FOLDERS = {"compile", "leases", "locks", "models", "partial", "refs"}


@contextmanager
def prepared_node(kubectl: Kubectl, namespace: str) -> Iterator[None]:
    """The administrator's folder as docs/model-cache.md makes it; at the end nothing of the namespace's."""
    beside = "os.path.dirname(folder)"
    script = f"os.makedirs({beside}, exist_ok=True)\nos.chmod({beside}, 0o1777)"
    administrator(kubectl, namespace, script, NODE_CACHES)
    try:
        yield
    finally:
        administrator(kubectl, namespace, CLEAN_UP, NODE_CACHES)


def test_a_namespace_that_may_use_the_node_has_a_folder_of_its_own_and_fetches_a_model_once(
    kubectl: Kubectl, services: Services, room_for_two: None
) -> None:
    namespace = services.namespace
    store = open_store(kubectl, namespace)
    told(kubectl, namespace, "/open")
    with prepared_node(kubectl, namespace):
        services.apply(cached("one", namespace, store, node=True))
        told_why(services, "one", "PodSecurityViolated", "hostPath")
        level = "pod-security.kubernetes.io/enforce=privileged"
        kubectl.run("label", "namespace", namespace, level, "--overwrite")
        services.wait_phase("one", "Running", seconds=180)
        services.apply(cached("two", namespace, store, node=True))
        services.wait_phase("two", "Running", seconds=180)

        assert told(kubectl, namespace)["sent"][GATED] == SIZE
        for name in ("one", "two"):
            assert digest_in_engine(kubectl, services, name) == digest_in_store()
        seen = in_engine(kubectl, services, "two", "import os; print(*os.listdir('/cache'))")
        assert set(seen.split()) <= FOLDERS
        in_engine(kubectl, services, "two", "open('/cache/compile/new', 'w')")
        for name in ("one", "two"):
            kubectl.run("delete", "inferenceservices.tidegate.io", name, "-n", namespace)
        eventually(lambda: not services.pods("one") + services.pods("two"), "no worker is left", seconds=90)
