"""The PodDisruptionBudget of a service that may have several workers."""

from __future__ import annotations

from typing import Any

from tidegate.api.v1alpha1 import InferenceService
from tidegate.resources.labels import metadata, selector
from tidegate.resources.names import disruption_budget


def build_budget(service: InferenceService) -> dict[str, Any] | None:
    """The manifest; None where there is at most one worker, whose eviction no budget could make gentler.

    One worker may be evicted at a time. One that is not ready may always be: it serves nobody, and a node
    must not wait for an engine that never starts.
    """
    scaling = service.spec.scaling
    if scaling.mode == "Managed" and scaling.max_replicas <= 1:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(service, disruption_budget(service.metadata.name)),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(service.metadata.name)},
        },
    }
