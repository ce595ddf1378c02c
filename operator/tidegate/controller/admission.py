"""What the mutating webhook answers to one AdmissionReview: a pure function from JSON to JSON."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from tidegate.domain.limits import queue_limit
from tidegate.resources.names import KIND, QUEUE_DEFAULT_ANNOTATION

Json = dict[str, Any]


class MalformedReviewError(ValueError):
    """It is not an AdmissionReview that can be answered; the message is for its sender."""


def answer_review(review: object, default_max_depth: int) -> Json:
    """The AdmissionReview with the response: always allowed, with a JSON patch where a default is due.

    Raises MalformedReviewError.
    """
    request = _request(review)
    response: Json = {"uid": request["uid"], "allowed": True}
    if operations := _operations(request, default_max_depth):
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(operations)).decode()
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def default_operations(resource: Json, default_max_depth: int) -> list[Json]:
    """The JSON patch that gives ``resource`` the queue limit that holds; empty where it has it.

    An explicit limit stays, and its stale annotation goes. What cannot be read is left to the schema.
    """
    spec, metadata = resource.get("spec"), resource.get("metadata")
    if not isinstance(spec, dict) or not isinstance(metadata, dict):
        return []
    queue, annotations = spec.get("queue"), metadata.get("annotations")
    if not isinstance(queue, dict | None) or not isinstance(annotations, dict | None):
        return []
    depth, note = (queue or {}).get("maxDepth"), (annotations or {}).get(QUEUE_DEFAULT_ANNOTATION)
    if not isinstance(depth, int | None) or not isinstance(note, str | None):
        return []
    limit = queue_limit(depth, note, default_max_depth)
    operations = _annotate(annotations, limit.note)
    if depth != limit.limit:
        operations += _add("/spec/queue", queue, "maxDepth", limit.limit)
    return operations


def _annotate(annotations: Json | None, note: str | None) -> list[Json]:
    existing = (annotations or {}).get(QUEUE_DEFAULT_ANNOTATION)
    if existing == note:
        return []
    if note is None:
        return [{"op": "remove", "path": f"/metadata/annotations/{_escaped(QUEUE_DEFAULT_ANNOTATION)}"}]
    return _add("/metadata/annotations", annotations, QUEUE_DEFAULT_ANNOTATION, note)


def _add(path: str, parent: Json | None, name: str, value: object) -> list[Json]:
    """Set ``name`` under ``path``, whose present content is ``parent``, also where that is missing."""
    if parent is None:
        return [{"op": "add", "path": path, "value": {name: value}}]
    return [{"op": "add", "path": f"{path}/{_escaped(name)}", "value": value}]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _operations(request: Json, default_max_depth: int) -> list[Json]:
    resource = request.get("object")
    kind = request.get("kind")
    if not isinstance(resource, dict) or not isinstance(kind, dict) or kind.get("kind") != KIND:
        return []
    if "deletionTimestamp" in (resource.get("metadata") or {}):
        return []
    return default_operations(resource, default_max_depth)


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
