"""Manifests, and workers made from them without an engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tidegate.api.config import service_key
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.service import ServiceKey
from tidegate.local.worker.template import WorkerTemplate

KEY = ServiceKey("default", "tide")


def document(name: str = "tide", **spec: Any) -> dict[str, Any]:
    """An InferenceService of the least form."""
    least = {"model": {"uri": "file:///models/tiny"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": least | spec,
    }


def scaling(**values: Any) -> dict[str, Any]:
    """A spec's scaling that sleeps after ten seconds."""
    return {"scaling": {"idleTimeoutSeconds": 10, "scaleDownDelaySeconds": 10} | values}


def build(service: InferenceService, secrets: Mapping[str, Mapping[str, str]]) -> WorkerTemplate:
    """A template whose hash is that of all that a worker is made from; --missing is a field that cannot be
    obeyed."""
    spec = service.spec
    if "--missing" in spec.engine.args:
        raise ValueError("spec.engine.args: --missing is not there")
    made = json.dumps([spec.engine.args, str(spec.resources), secrets], default=str)
    return WorkerTemplate(
        key=service_key(service),
        hash=hashlib.sha256(made.encode()).hexdigest()[:16],
        command=("engine",),
        environment={},
        resources={"requests": {"cpu": str(spec.resources.cpu), "memory": "1Gi"}},
        cores=int(spec.resources.cpu),
        memory=2**30,
        shared_memory=None,
        devices=0,
        device_resource="",
        exclusive=True,
        readiness_path="/v1/models",
        startup_deadline=900.0,
        grace_seconds=330.0,
    )
