"""The step that fills the cache before the engine starts, and where the engine then finds its model."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tidegate.api.cache import Cache
from tidegate.api.cache_rules import PATH, is_fetched
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.engine_args import names_load_format
from tidegate.domain.pod_containers import CACHE
from tidegate.domain.quantity import parse_bytes
from tidegate.resources import engine, pod
from tidegate.resources.cache import place, whole
from tidegate.resources.model import OFFLINE, ModelParts

_PROGRAM = "/opt/tidegate/fill_cache.py"  # in the worker's image
_LINKS = "/tmp/cached"  # noqa: S108  the pod's own volume
_NODE_SPARE = 10  # percent: below that a kubelet evicts pods, by its default of nodefs.available
_LONGEST_NAME = 100  # and a digest of nine characters: a file's name may have 255


def cached_model(service: InferenceService) -> ModelParts | None:
    """The model as the engine finds it in the cache; None where it is not kept there.

    Its path is a link in the pod's own volume, made by the step before: which version of the model it leads
    to is known then, and stays the same for as long as the pod lives.
    """
    if service.spec.cache is None or not is_fetched(service.spec.model.uri):
        return None
    return ModelParts(path=_link(service), env=OFFLINE)


def init_containers(service: InferenceService, image: str, node_path: str) -> dict[str, Any]:
    """The pod's part: one container, of the worker's image, where a model is to be fetched; nothing
    otherwise."""
    cache = service.spec.cache
    if cache is None or not is_fetched(service.spec.model.uri):
        return {}
    return {"initContainers": [_container(service, cache, image, node_path)]}


def _container(service: InferenceService, cache: Cache, image: str, node_path: str) -> dict[str, Any]:
    spec, secret = service.spec, service.spec.model.secret_ref
    credentials = {"envFrom": [{"secretRef": {"name": secret.name}}]} if secret else {}
    return {
        "name": CACHE,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", _PROGRAM],
        "args": _arguments(service, cache, node_path),
        "env": _environment(service),
        **credentials,
        "resources": _resources(service),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            whole(service, cache),
            *pod.mounts(spec),  # such as the certificates that SSL_CERT_FILE names
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": engine.CONFINED,
    }


def _environment(service: InferenceService) -> list[dict[str, Any]]:
    """The user's variables replace ours of the same name."""
    home = {"name": "HOME", "value": "/tmp"}  # noqa: S108
    return list({each["name"]: each for each in (home, *engine.given(service.spec))}.values())


def _arguments(service: InferenceService, cache: Cache, node_path: str) -> list[str]:
    model = service.spec.model
    words = ["--model", model.uri, *(["--revision", model.revision] if model.revision else [])]
    words += ["--cache", PATH, "--link", _link(service), "--place", place(service, cache, node_path)]
    if cache.node:
        words += ["--keep-free", str(_NODE_SPARE)]
    if cache.size_limit is not None:
        words += ["--size-limit", str(parse_bytes(cache.size_limit))]
    return [*words, *(["--every-format"] if names_load_format(service.spec.engine.args) else [])]


def _resources(service: InferenceService) -> dict[str, dict[str, str]]:
    """The engine's cores and memory, so that the pod stays Guaranteed; what it needs in all stays the same,
    since the two do not run at once. Devices have nothing to do here."""
    given = service.spec.resources.model_copy(update={"accelerator": None})
    return engine.container_resources(given, limit_cpu=service.spec.cpu_isolation != "None")


def _link(service: InferenceService) -> str:
    model = service.spec.model
    digest = hashlib.sha256(f"{model.uri} {model.revision}".encode()).hexdigest()[:8]
    name = re.sub("[^A-Za-z0-9._]+", "--", model.uri).strip("-")[:_LONGEST_NAME]
    return f"{_LINKS}/{name}-{digest}"
