"""What the webhooks answer to one AdmissionReview: from JSON to JSON, from what is known, asking nobody."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tidegate.control.validation import judge
from tidegate.controller.autoscaler_advice import AUTOSCALER, autoscaler_warnings
from tidegate.controller.defaulting import calibration_warnings, default_operations
from tidegate.controller.grounds import grounds_of
from tidegate.controller.handover import Handover, handover
from tidegate.controller.world import World
from tidegate.kube.cache import Kind
from tidegate.resources.names import KIND, worker_deployment

Json = dict[str, Any]
Decide = Callable[[Json, Json | None], Json]  # what is written, what was there → parts of the response

_FORBIDDEN = 403  # what a refusal is for clients; the message is the sentence


class MalformedReviewError(ValueError):
    """It is not an AdmissionReview that can be answered; the message is for its sender."""


class Admission:
    """The answers of one operator; ``world`` is what it knows."""

    def __init__(self, world: World) -> None:
        self._world = world

    def mutate(self, review: object) -> Json:
        """The AdmissionReview with the response: allowed, with a JSON patch where something is filled in.

        Raises MalformedReviewError.
        """
        return _answered(review, {KIND: self._filled_in})

    def validate(self, review: object) -> Json:
        """The AdmissionReview with the response: refused with a sentence, or allowed, perhaps with warnings.

        Raises MalformedReviewError.
        """
        return _answered(review, {KIND: self._judged, AUTOSCALER: self._advised})

    def _filled_in(self, resource: Json, old: Json | None) -> Json:
        response: Json = {}
        change = self._handover(resource, old)
        if operations := [*default_operations(resource, self._world.default_max_depth), *change.operations]:
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(msgspec.json.encode(operations)).decode()
        if warnings := [*calibration_warnings(resource, old), *change.warnings]:
            response["warnings"] = warnings
        return response

    def _handover(self, resource: Json, old: Json | None) -> Handover:
        metadata = resource["metadata"]
        namespace, name = metadata.get("namespace"), metadata.get("name")
        if not isinstance(namespace, str) or not isinstance(name, str):  # a generated name has no workers yet
            return handover(resource, old, None)
        deployment = self._world.cache.get(Kind.DEPLOYMENT, namespace, worker_deployment(name))
        return handover(resource, old, deployment["spec"].get("replicas") if deployment else None)

    def _judged(self, resource: Json, old: Json | None) -> Json:
        response: Json = {}
        verdict = judge(grounds_of(self._world), resource, old)
        if verdict.refusal:
            status = {"code": _FORBIDDEN, "reason": "Forbidden", "message": verdict.refusal}
            response |= {"allowed": False, "status": status}
        if verdict.warnings:
            response["warnings"] = list(verdict.warnings)
        return response

    def _advised(self, autoscaler: Json, _: Json | None) -> Json:
        warnings = autoscaler_warnings(autoscaler, self._world.cache)
        return {"warnings": warnings} if warnings else {}


def _answered(review: object, deciders: Mapping[str, Decide]) -> Json:
    """``deciders``: for each kind of object, what the response says besides "allowed"."""
    request = _request(review)
    response: Json = {"uid": request["uid"], "allowed": True}
    kind = request.get("kind")
    decide = deciders.get(str(kind.get("kind"))) if isinstance(kind, dict) else None
    if decide and (resource := _written(request)) is not None:
        response |= decide(resource, _old(request))
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _written(request: Json) -> Json | None:
    """The object that is created or updated; None for a part of one, and for one on its way out."""
    resource = request.get("object")
    if not isinstance(resource, dict):
        return None
    if not isinstance(resource.get("metadata"), dict) or not isinstance(resource.get("spec"), dict):
        return None
    if request.get("subResource") or "deletionTimestamp" in resource["metadata"]:
        return None
    return resource


def _old(request: Json) -> Json | None:
    old = request.get("oldObject")
    return old if isinstance(old, dict) and isinstance(old.get("metadata"), dict) else None


def _request(review: object) -> Json:
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise MalformedReviewError("the body is not an AdmissionReview of admission.k8s.io/v1")
    if review.get("apiVersion") != "admission.k8s.io/v1":
        raise MalformedReviewError(
            f"apiVersion {review.get('apiVersion')!r}: only admission.k8s.io/v1 is served"
        )
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReviewError("request is missing from the AdmissionReview")
    if not isinstance(request.get("uid"), str) or not request["uid"]:
        raise MalformedReviewError("request.uid is missing from the AdmissionReview")
    return request
