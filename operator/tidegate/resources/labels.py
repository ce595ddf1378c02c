"""The labels and the owner of everything that belongs to a service."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tidegate.api.v1alpha1 import InferenceService
from tidegate.resources.names import (
    API_VERSION,
    COMPONENT_LABEL,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    SERVICE_LABEL,
    SPEC_HASH_ANNOTATION,
)

WORKER = "worker"


def selector(service: str) -> dict[str, str]:
    """The labels by which a service's worker pods are found."""
    return {SERVICE_LABEL: service}


def selector_text(service: str) -> str:
    """The same as the API writes it in a query and in a Scale's status."""
    return f"{SERVICE_LABEL}={service}"


def labels(service: str, component: str = WORKER) -> dict[str, str]:
    """The labels of an object of a service."""
    return {**selector(service), COMPONENT_LABEL: component, MANAGED_BY_LABEL: MANAGED_BY}


def owner_reference(service: InferenceService) -> dict[str, Any]:
    """The reference by which the garbage collector removes an object with its InferenceService."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": service.metadata.name,
        "uid": service.metadata.uid,
        "controller": True,
    }


def metadata(service: InferenceService, name: str, component: str = WORKER) -> dict[str, Any]:
    """The metadata that every object of a service starts from."""
    return {
        "name": name,
        "namespace": service.metadata.namespace,
        "labels": labels(service.metadata.name, component),
        "ownerReferences": [owner_reference(service)],
    }


def hashed(manifest: dict[str, Any], annotation: str = SPEC_HASH_ANNOTATION) -> dict[str, Any]:
    """The manifest with its own hash as an annotation: a field that is said no more is a difference, too."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:16]
    annotations = {**manifest["metadata"].get("annotations", {}), annotation: digest}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def is_ours(observed: dict[str, Any], uid: str) -> bool:
    """Whether an object that exists belongs to the InferenceService with this uid."""
    references = observed["metadata"].get("ownerReferences") or []
    return any(reference.get("uid") == uid for reference in references)


def is_left_over(observed: dict[str, Any], service: str, uid: str) -> bool:
    """Whether it belongs to an InferenceService that had this name before: the garbage collector takes it."""
    references = observed["metadata"].get("ownerReferences") or []
    return any(
        (reference.get("apiVersion"), reference.get("kind"), reference.get("name"))
        == (API_VERSION, KIND, service)
        and reference.get("uid") != uid
        for reference in references
    )
