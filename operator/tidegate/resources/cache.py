"""The volume of spec.cache, and where the engine sees it.

::

    claim, or nodePath/NAMESPACE        in the engine
    ├── models/                         /cache/models    read-only: only the step that fills it writes
    ├── leases/                         /cache/leases    which model the worker uses
    └── compile/                        /cache/compile   kernels and graphs that the engine compiled

What the step before the engine needs beside these (``partial``, ``locks``, ``refs``) the engine does not see.
"""

from __future__ import annotations

from typing import Any

from tidegate.api.cache import Cache
from tidegate.api.cache_rules import PATH, VOLUME, is_fetched
from tidegate.api.spec import InferenceServiceSpec
from tidegate.api.v1alpha1 import InferenceService

MODELS = f"{PATH}/models"
LEASES = f"{PATH}/leases"
COMPILED = f"{PATH}/compile"

NO_NODE_PATH = (
    "spec.cache.node: this installation has no folder for caches on its nodes; have the administrator set "
    "cache.nodePath in the chart's values, or use spec.cache.claim"
)


def volumes(service: InferenceService, node_path: str) -> list[dict[str, Any]]:
    """The pod's volume, none without spec.cache.

    ``node_path``: the installation's folder on each node, empty: it has none.
    ValueError where the spec asks for that and there is none.
    """
    cache = service.spec.cache
    if cache is None:
        return []
    if cache.claim is not None:
        return [{"name": VOLUME, "persistentVolumeClaim": {"claimName": cache.claim}}]
    if not node_path:
        raise ValueError(NO_NODE_PATH)
    return [{"name": VOLUME, "hostPath": {"path": node_path, "type": "DirectoryOrCreate"}}]


def mounts(service: InferenceService) -> list[dict[str, Any]]:
    """Where the engine sees it; nowhere without spec.cache."""
    cache = service.spec.cache
    if cache is None:
        return []
    found = [{**_mount(service, cache, "compile"), "mountPath": COMPILED}]
    if is_fetched(service.spec.model.uri):
        found.append({**_mount(service, cache, "models"), "mountPath": MODELS, "readOnly": True})
        found.append({**_mount(service, cache, "leases"), "mountPath": LEASES})
    return found


def environment(spec: InferenceServiceSpec) -> dict[str, str]:
    """Tells the worker's entrypoint where compiled kernels may be kept; nothing without spec.cache."""
    return {} if spec.cache is None else {"TIDEGATE_COMPILE_CACHE": COMPILED}


def within(service: InferenceService, cache: Cache) -> str:
    """The folder of the volume that is the service's to use; empty: all of it."""
    return "" if cache.claim is not None else service.metadata.namespace


def place(service: InferenceService, cache: Cache, node_path: str) -> str:
    """What the cache is called in a sentence."""
    if cache.claim is not None:
        return f"the claim {cache.claim}"
    return f"the node's folder {node_path}/{service.metadata.namespace}"


def _mount(service: InferenceService, cache: Cache, folder: str) -> dict[str, Any]:
    """The kubelet makes a folder that is missing, with the rights of the volume's own."""
    return {"name": VOLUME, "subPath": "/".join(filter(None, (within(service, cache), folder)))}
