"""InferenceServices as the builders get them."""

from __future__ import annotations

from typing import Any

from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.resources.budget import build_budget
from tidegate.resources.deployment import WorkerImages, build_deployment, build_seed
from tidegate.resources.plan import Desired
from tidegate.resources.service import build_service

Json = dict[str, Any]

IMAGES = WorkerImages(cpu="worker:cpu", cuda="worker:cuda")
UID = "11111111-1111-1111-1111-111111111111"


def service(**spec: Any) -> InferenceService:
    """``team/qwen`` with one core and 1Gi, and these fields of the spec on top."""
    least = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    metadata = {"name": "qwen", "namespace": "team", "uid": UID, "generation": 1}
    return parse(
        {
            "apiVersion": "tidegate.io/v1alpha1",
            "kind": "InferenceService",
            "metadata": metadata,
            "spec": {**least, **spec},
        }
    )


def desired(of: InferenceService) -> Desired:
    """All manifests of a service."""
    seed, deployment = build_seed(of, IMAGES), build_deployment(of, IMAGES)
    return Desired(of.metadata.uid, seed, deployment, build_service(of, "gw"), build_budget(of))
