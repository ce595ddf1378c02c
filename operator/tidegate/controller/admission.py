"""What the webhooks answer to one AdmissionReview: from JSON to JSON, from what is known, asking nobody."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from tidegate.controller.defaulting import calibration_warnings, default_operations
from tidegate.controller.validation import judge
from tidegate.controller.world import World
from tidegate.resources.names import KIND

Json = dict[str, Any]

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
        return _answered(review, self._filled_in)

    def validate(self, review: object) -> Json:
        """The AdmissionReview with the response: refused with a sentence, or allowed, perhaps with warnings.

        Raises MalformedReviewError.
        """
        return _answered(review, self._judged)

    def _filled_in(self, resource: Json, old: Json | None) -> Json:
        response: Json = {}
        if operations := default_operations(resource, self._world.default_max_depth):
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(msgspec.json.encode(operations)).decode()
        if warnings := calibration_warnings(resource, old):
            response["warnings"] = warnings
        return response

    def _judged(self, resource: Json, old: Json | None) -> Json:
        response: Json = {}
        verdict = judge(self._world, resource, old)
        if verdict.refusal:
            status = {"code": _FORBIDDEN, "reason": "Forbidden", "message": verdict.refusal}
            response |= {"allowed": False, "status": status}
        if verdict.warnings:
            response["warnings"] = list(verdict.warnings)
        return response


def _answered(review: object, decide: Callable[[Json, Json | None], Json]) -> Json:
    """``decide``: from what is written and what was there to what the response says besides "allowed"."""
    request = _request(review)
    response: Json = {"uid": request["uid"], "allowed": True}
    resource = _written(request)
    if resource is not None:
        response |= decide(resource, _old(request))
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _written(request: Json) -> Json | None:
    """The InferenceService that is created or updated; None for anything else, and for one on its way out."""
    resource, kind = request.get("object"), request.get("kind")
    if not isinstance(resource, dict) or not isinstance(kind, dict) or kind.get("kind") != KIND:
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
