"""The volume of spec.cache, and where the engine sees it.

::

    claim, or nodePath/NAMESPACE        in the engine
    ├── models/                         /cache/models    read-only: only the step that fills it writes
    └── compile/                        /cache/compile   kernels and graphs that the engine compiled
"""

from __future__ import annotations

from typing import Any

from tidegate.api.cache import Cache
from tidegate.api.cache_rules import PATH, VOLUME
from tidegate.api.v1alpha1 import InferenceService

MODELS = f"{PATH}/models"
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
    return [
        {**_mount(service, cache, "models"), "mountPath": MODELS, "readOnly": True},
        {**_mount(service, cache, "compile"), "mountPath": COMPILED},
    ]


def _mount(service: InferenceService, cache: Cache, folder: str) -> dict[str, str]:
    """The kubelet makes a folder that is missing, with the rights of the volume's own."""
    within = folder if cache.claim is not None else f"{service.metadata.namespace}/{folder}"
    return {"name": VOLUME, "subPath": within}
