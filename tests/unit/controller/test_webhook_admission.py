"""What the webhook does to an InferenceService."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import jsonpatch
import pytest

from tidegate.controller.admission import Admission, MalformedReviewError
from tidegate.controller.world import World

NOTE = "tidegate.io/queue-default"


def resource(queue: Any = None, annotations: Any = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"model": {"uri": "hf://a/b"}}
    if queue is not None:
        spec["queue"] = queue
    metadata: dict[str, Any] = {"name": "qwen", "namespace": "a"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {"kind": "InferenceService", "metadata": metadata, "spec": spec}


def review(item: Any, kind: str = "InferenceService") -> dict[str, Any]:
    request = {"uid": "42", "kind": {"kind": kind}, "object": item, "operation": "CREATE"}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def mutated(item: dict[str, Any], default: int = 128) -> dict[str, Any]:
    """The object as the API server has it after our answer."""
    response = Admission(World(default)).mutate(review(item))["response"]
    assert response["allowed"] is True
    assert response["uid"] == "42"
    if "patch" not in response:
        return item
    operations = json.loads(base64.b64decode(response["patch"]))
    changed: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(item), operations)
    return changed


def depth_and_note(item: dict[str, Any]) -> tuple[Any, Any]:
    return item["spec"].get("queue", {}).get("maxDepth"), item["metadata"].get("annotations", {}).get(NOTE)


@pytest.mark.parametrize("queue", [None, {}, {"maxBytes": "1Mi"}])
@pytest.mark.parametrize("annotations", [None, {}, {"other": "kept"}])
def test_an_absent_limit_becomes_the_default_with_a_note(queue: Any, annotations: Any) -> None:
    item = mutated(resource(queue, annotations))
    assert depth_and_note(item) == (128, "128 from Default")
    assert item["metadata"]["annotations"].get("other") == (annotations or {}).get("other")
    assert item["spec"]["queue"].get("maxBytes") == (queue or {}).get("maxBytes")


def test_an_explicit_limit_stays_and_gets_no_note() -> None:
    item = resource({"maxDepth": 7})
    assert mutated(item) == item


def test_a_defaulted_limit_follows_a_changed_default() -> None:
    item = mutated(resource())
    assert depth_and_note(mutated(item, default=256)) == (256, "256 from Default")
    assert mutated(item, default=128) == item


def test_a_users_change_of_a_defaulted_limit_takes_the_note_away() -> None:
    item = mutated(resource())
    item["spec"]["queue"]["maxDepth"] = 7
    assert depth_and_note(mutated(item)) == (7, None)


def test_a_user_who_takes_the_limit_out_gets_the_default_again() -> None:
    item = mutated(resource())
    del item["spec"]["queue"]["maxDepth"]
    assert depth_and_note(mutated(item)) == (128, "128 from Default")


def test_applying_the_same_manifest_again_changes_nothing() -> None:
    """What server-side apply sends to the webhook when a manifest without the limit is applied twice."""
    first = mutated(resource())
    assert mutated(resource()) == first
    assert mutated(first) == first


@pytest.mark.parametrize(
    "item",
    [
        resource({"maxDepth": "many"}),
        resource({"maxDepth": True}),
        resource(7),
        resource(None, 7),
        resource(None, {NOTE: 7}),
        {"metadata": {"name": "x"}},
        {"spec": {}},
        {"spec": None, "metadata": None},
        resource() | {"metadata": {"name": "qwen", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    ],
)
def test_what_cannot_be_read_is_left_to_the_schema(item: dict[str, Any]) -> None:
    assert mutated(item) == item


def test_another_kind_passes_untouched() -> None:
    assert "patch" not in Admission(World(128)).mutate(review(resource(), kind="Deployment"))["response"]
    assert "patch" not in Admission(World(128)).mutate(review(None))["response"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "not an AdmissionReview"),
        ({"kind": "Pod"}, "not an AdmissionReview"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}, "v1beta1"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}, "request is missing"),
        ({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {}}, "request.uid"),
        (
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": 7}},
            "request.uid",
        ),
    ],
)
def test_a_malformed_review_is_refused_with_what_is_wrong(body: Any, sentence: str) -> None:
    with pytest.raises(MalformedReviewError, match=sentence):
        Admission(World(128)).mutate(body)
