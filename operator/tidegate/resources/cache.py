"""The volume of spec.cache, and where the engine sees it.

::

    claim                   in the engine
    ├── models/             /cache/models    read-only: only the step that fills it writes
    ├── leases/             /cache/leases    which model the worker uses
    └── compile/            /cache/compile   kernels and graphs that the engine compiled

What the step before the engine needs beside these (``partial``, ``locks``, ``refs``) the engine does not see.

Of the nodes' folder the engine sees all of nodePath/NAMESPACE at /cache, writable. A kubelet follows links in
a subPath wherever in the volume they lead, and whoever writes into a namespace's folder could put a link to
another namespace's in the place of ``models``. The namespace's own folder no pod can replace.
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
    if cache.claim is None:
        return [whole(service, cache)]
    found = [_mount("compile", COMPILED)]
    if is_fetched(service.spec.model.uri):
        found.append({**_mount("models", MODELS), "readOnly": True})
        found.append(_mount("leases", LEASES))
    return found


def whole(service: InferenceService, cache: Cache) -> dict[str, Any]:
    """The mount of all that is the service's to use: the claim, or its namespace's folder on the node."""
    everything = {"name": VOLUME, "mountPath": PATH}
    return everything if cache.claim is not None else {**everything, "subPath": service.metadata.namespace}


def environment(spec: InferenceServiceSpec) -> dict[str, str]:
    """Tells the worker's entrypoint where compiled kernels may be kept; nothing without spec.cache."""
    return {} if spec.cache is None else {"TIDEGATE_COMPILE_CACHE": COMPILED}


def place(service: InferenceService, cache: Cache, node_path: str) -> str:
    """What the cache is called in a sentence."""
    if cache.claim is not None:
        return f"the claim {cache.claim}"
    return f"the node's folder {node_path}/{service.metadata.namespace}"


def _mount(folder: str, path: str) -> dict[str, Any]:
    """The kubelet makes a folder that is missing, with the rights of the volume's own."""
    return {"name": VOLUME, "subPath": folder, "mountPath": path}
