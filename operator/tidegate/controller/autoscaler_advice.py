"""What is said to who makes a HorizontalPodAutoscaler that will do nothing: its own errors do not say why."""

from __future__ import annotations

from typing import Any

from tidegate.kube.cache import Kind, ObjectCache
from tidegate.resources.names import GROUP, KIND

Json = dict[str, Any]

AUTOSCALER = "HorizontalPodAutoscaler"


def autoscaler_warnings(autoscaler: Json, cache: ObjectCache) -> list[str]:
    """A sentence where the InferenceService that it scales does not obey it; none where all is well, or
    where it scales something else."""
    spec, namespace = autoscaler.get("spec"), autoscaler["metadata"].get("namespace")
    name = _target(spec) if isinstance(spec, dict) else None
    service = cache.get(Kind.INFERENCE_SERVICE, namespace, name) if namespace and name else None
    if service is None or not isinstance(spec, dict):
        return []
    named = f"spec.scaleTargetRef: InferenceService {namespace}/{name}"
    if service["spec"].get("scaling", {}).get("mode") != "External":
        return [f"{named} {_MANAGED}"]
    asleep = service["spec"].get("replicas") == 0 and spec.get("minReplicas") != 0
    return [f"{named} {_ASLEEP}"] if asleep else []


def _target(spec: Json) -> str | None:
    target = spec.get("scaleTargetRef")
    if not isinstance(target, dict) or target.get("kind") != KIND:
        return None
    name, group = target.get("name"), str(target.get("apiVersion", "")).partition("/")[0]
    return name if group == GROUP and isinstance(name, str) else None


_MANAGED = (
    "is in scaling.mode Managed, in which tidegate sets the number of workers: a HorizontalPodAutoscaler can "
    "change nothing and reports FailedGetScale; set spec.scaling.mode to External, or delete the autoscaler"
)
_ASLEEP = (
    "has 0 replicas, at which a HorizontalPodAutoscaler does nothing: begin with kubectl scale --replicas 1"
)
