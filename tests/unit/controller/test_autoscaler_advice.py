"""What is said to who makes a HorizontalPodAutoscaler for an InferenceService."""

from __future__ import annotations

from typing import Any

import pytest

from tests.component.kube.objects import service_manifest
from tidegate.controller.admission import Admission
from tidegate.controller.world import World
from tidegate.kube.cache import Kind

TARGET = {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceService", "name": "qwen"}


def warned(target: Any = None, minimum: int | None = 1, **service: Any) -> list[str]:
    """The warnings for an HPA beside a service; its review is allowed in any case."""
    world = World(128)
    found = service_manifest("team-a", "qwen", **service)
    found["metadata"] |= {"uid": "1", "resourceVersion": "1"}
    world.cache.put(Kind.INFERENCE_SERVICE, found)
    spec = {"scaleTargetRef": TARGET if target is None else target, "maxReplicas": 4}
    autoscaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "qwen", "namespace": "team-a"},
        "spec": spec if minimum is None else spec | {"minReplicas": minimum},
    }
    request = {"uid": "1", "kind": {"kind": "HorizontalPodAutoscaler"}, "object": autoscaler}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    response = Admission(world).validate(review)["response"]
    assert response["allowed"] is True
    warnings: list[str] = response.get("warnings", [])
    return warnings


@pytest.mark.parametrize("service", [{}, {"scaling": {"mode": "Managed"}}, {"scaling": {"minReplicas": 1}}])
def test_in_managed_it_is_told_what_to_do(service: dict[str, Any]) -> None:
    [warning] = warned(**service)
    assert warning.startswith("spec.scaleTargetRef: InferenceService team-a/qwen is in scaling.mode Managed")
    assert "set spec.scaling.mode to External, or delete the autoscaler" in warning


def test_in_external_nothing_is_said() -> None:
    assert warned(scaling={"mode": "External"}, replicas=1) == []


@pytest.mark.parametrize(("minimum", "told"), [(1, True), (None, True), (0, False)])
def test_at_zero_it_is_told_that_it_never_begins(minimum: int | None, told: bool) -> None:
    warnings = warned(minimum=minimum, scaling={"mode": "External"}, replicas=0)
    assert ["has 0 replicas" in warning for warning in warnings] == [True] * told


@pytest.mark.parametrize(
    "target",
    [
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "qwen"},
        TARGET | {"apiVersion": "serving.kserve.io/v1beta1"},
        TARGET | {"name": "other"},
        {"kind": "InferenceService"},
        "qwen",
    ],
)
def test_who_scales_something_else_is_left_alone(target: Any) -> None:
    assert warned(target=target) == []
