"""What is filled in is filled in once, and never in a user's place."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.config import effective_limit, service_config
from tidegate.api.v1alpha1 import parse
from tidegate.controller.defaulting import calibration_warnings, default_operations
from tidegate.controller.ownership import LAST_APPLIED, is_somebodys

NOTE = "tidegate.io/queue-default"
STEPS_NOTE = "tidegate.io/degradation-default"
CALIBRATED = "tidegate.io/calibrated-max-depth"
Json = dict[str, Any]


def steps_of(*pairs: tuple[int, int]) -> list[Json]:
    """Steps by depth and tokens."""
    return [{"above": above, "maxTokens": tokens} for above, tokens in pairs]


DEFAULT_STEPS = steps_of((32, 128), (64, 96), (96, 64))
OWN_STEPS = steps_of((5, 10))


def fields(*paths: str) -> Json:
    """fieldsV1 of these paths."""
    found: Json = {}
    for path in paths:
        at = found
        for name in path.split("|"):
            at = at.setdefault(f"f:{name}", {})
    return found


DEPTH_FIELD, STEPS_FIELD = "spec|queue|maxDepth", "spec|degradation|steps"
NOTE_FIELD, STEPS_NOTE_FIELD = f"metadata|annotations|{NOTE}", f"metadata|annotations|{STEPS_NOTE}"


def manager(*paths: str, operation: str = "Update", **more: str) -> Json:
    return {"manager": "m", "operation": operation, "fieldsV1": fields(*paths), **more}


def resource(spec: Json, annotations: Json | None = None, managers: Any = None) -> Json:
    least = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    metadata: Json = {"name": "qwen", "namespace": "a"}
    if annotations is not None:
        metadata["annotations"] = annotations
    if managers is not None:
        metadata["managedFields"] = managers
    return {"kind": "InferenceService", "metadata": metadata, "spec": least | spec}


def filled(item: Json, default: int = 128) -> Json:
    changed: Json = jsonpatch.apply_patch(copy.deepcopy(item), default_operations(item, default))
    return changed


def told(item: Json) -> tuple[Any, Any, Any, Any]:
    """Limit and note, steps and note."""
    spec, annotations = item["spec"], item["metadata"].get("annotations", {})
    steps = (spec.get("degradation") or {}).get("steps")
    depth = spec.get("queue", {}).get("maxDepth")
    return depth, annotations.get(NOTE), steps, annotations.get(STEPS_NOTE)


def mostly(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


PATHS = mostly(DEPTH_FIELD, STEPS_FIELD, NOTE_FIELD, STEPS_NOTE_FIELD, "spec|degradation", "spec|suspend")
MANAGERS = st.lists(
    st.builds(lambda paths, how: manager(*paths, operation=how), st.sets(PATHS), mostly("Update", "Apply")),
    max_size=3,
)
DEPTHS = mostly(None, 1, 2, 3, 7, 64, 128, 256)
STEPS = mostly(None, [], OWN_STEPS, DEFAULT_STEPS, [{"above": 1, "maxTokens": 64}])
DEGRADATIONS = st.none() | st.builds(
    lambda cap, steps: {k: v for k, v in (("maxTokens", cap), ("steps", steps)) if v is not None},
    mostly(None, 1, 64, 96, 100, 128, 4096),
    STEPS,
)
SPECS = st.builds(
    lambda depth, degradation: (
        ({} if depth is None else {"queue": {"maxDepth": depth}})
        | ({} if degradation is None else {"degradation": degradation})
    ),
    DEPTHS,
    DEGRADATIONS,
)
APPLIED = st.builds(
    lambda spec, notes: json.dumps({"spec": spec, "metadata": {"annotations": notes}}),
    SPECS,
    mostly({}, {NOTE: "128 from Default"}, {STEPS_NOTE: "x"}),
) | mostly("", "{", "[]", "null")
ANNOTATIONS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        NOTE: mostly("128 from Default", "64 from Calibration", "junk"),
        STEPS_NOTE: mostly("128 above 32, 96 above 64, 64 above 96", "10 above 5", "64 above 1", ""),
        CALIBRATED: mostly("96", "1", "0", "many", "100001"),
        LAST_APPLIED: APPLIED,
        "other": st.just("kept"),
    },
)
RESOURCES = st.builds(resource, SPECS, ANNOTATIONS, st.none() | MANAGERS)


@given(RESOURCES, mostly(1, 2, 128, 256))
def test_what_was_filled_in_needs_no_second_write(item: Json, default: int) -> None:
    assert default_operations(filled(item, default), default) == []


@given(RESOURCES, mostly(1, 2, 128, 256))
def test_every_object_that_could_be_read_can_be_read_afterwards(item: Json, default: int) -> None:
    try:
        parse(item)
    except ValueError:
        return
    after = parse(filled(item, default))
    assert after.spec.queue.max_depth is not None
    assert after.spec.degradation is None or after.spec.degradation.steps is not None


@given(RESOURCES, mostly(2, 128))
def test_gateway_and_operator_obey_what_stands_in_a_filled_in_object(item: Json, default: int) -> None:
    after = filled(item, default)
    try:
        service = parse(after)
    except ValueError:
        return
    config = service_config(service, default)
    assert config.max_depth == effective_limit(service, default).limit == service.spec.queue.max_depth
    written = service.spec.degradation and service.spec.degradation.steps
    obeyed = config.degradation and config.degradation.steps
    assert [asdict(step) for step in obeyed or ()] == [step.model_dump() for step in written or ()]


@given(RESOURCES, mostly(2, 128))
def test_a_value_without_a_note_is_never_touched(item: Json, default: int) -> None:
    depth, note, steps, steps_note = told(item)
    after = told(filled(item, default))
    if depth is not None and note is None:
        assert after[:2] == (depth, None)
    if steps is not None and steps_note is None:
        assert after[2:] == (steps, None)


DEFAULTED = {NOTE: "128 from Default"}


@pytest.mark.parametrize(
    ("managers", "users"),
    [
        ([], False),
        ([manager(DEPTH_FIELD)], True),
        ([manager(DEPTH_FIELD, operation="Apply")], True),
        ([manager(DEPTH_FIELD, NOTE_FIELD)], False),  # an export that came back
        ([manager(DEPTH_FIELD, NOTE_FIELD), manager(DEPTH_FIELD)], True),
        ([manager(NOTE_FIELD)], False),
        ([manager(DEPTH_FIELD, subresource="status")], False),
        ([manager("spec|queue|maxBytes")], False),
        ([{"manager": "m"}, {"fieldsV1": None}, {"fieldsV1": {"f:spec": []}}, None, 7], False),
        ("garbage", False),
    ],
)
def test_a_limit_that_equals_its_note_is_the_users_where_somebody_owns_it_alone(
    managers: Any, users: bool
) -> None:
    item = resource({"queue": {"maxDepth": 128}}, dict(DEFAULTED), managers)
    expected = (128, None) if users else (256, "256 from Default")
    assert told(filled(item, 256))[:2] == expected


@pytest.mark.parametrize(
    ("applied", "users"),
    [
        ({"spec": {"queue": {"maxDepth": 128}}}, True),
        ({"spec": {"queue": {"maxDepth": 64}}}, False),
        ({"spec": {"queue": {}}}, False),
        ({"spec": {"queue": {"maxDepth": 128}}, "metadata": {"annotations": DEFAULTED}}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_client_side_apply_of_an_equal_limit_makes_it_the_users(applied: Any, users: bool) -> None:
    annotations = DEFAULTED | {LAST_APPLIED: json.dumps(applied)}
    item = resource({"queue": {"maxDepth": 128}}, annotations)
    assert told(filled(item, 256))[:2] == ((128, None) if users else (256, "256 from Default"))


def test_an_unreadable_client_side_annotation_says_nothing() -> None:
    item = resource({}, {LAST_APPLIED: "{"})
    assert not is_somebodys(item, ("spec", "suspend"), False, NOTE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("96", (96, "96 from Calibration")),
        ("many", (128, "128 from Default")),
        ("0", (128, "128 from Default")),
        ("-5", (128, "128 from Default")),
        ("٣", (128, "128 from Default")),
        ("100000", (100000, "100000 from Calibration")),
        ("100001", (128, "128 from Default")),
        ("", (128, "128 from Default")),
    ],
)
def test_calibration_comes_before_the_default_where_it_can_be_read(text: str, expected: Any) -> None:
    assert told(filled(resource({}, {CALIBRATED: text})))[:2] == expected
    assert told(filled(resource({"queue": {"maxDepth": 7}}, {CALIBRATED: text})))[:2] == (7, None)


def test_a_limit_goes_from_calibration_to_default_when_the_annotation_goes() -> None:
    item = filled(resource({}, {CALIBRATED: "96"}))
    del item["metadata"]["annotations"][CALIBRATED]
    assert told(filled(item))[:2] == (128, "128 from Default")


def test_an_unreadable_calibration_is_warned_of_when_it_is_new() -> None:
    bad, good = resource({}, {CALIBRATED: "many"}), resource({}, {CALIBRATED: "96"})
    assert "must be a whole number from 1 to 100000" in calibration_warnings(bad, None)[0]
    assert calibration_warnings(bad, good)
    assert calibration_warnings(bad, bad) == calibration_warnings(good, bad) == []
    assert calibration_warnings(resource({}), None) == []


@pytest.mark.parametrize(
    ("spec", "steps", "note"),
    [
        ({"degradation": {}}, DEFAULT_STEPS, "128 above 32, 96 above 64, 64 above 96"),
        (
            {"degradation": {"maxTokens": 80}},
            steps_of((32, 80), (96, 64)),
            "80 above 32, 64 above 96",
        ),
        ({"degradation": {}, "queue": {"maxDepth": 1}}, [{"above": 1, "maxTokens": 64}], "64 above 1"),
        ({"degradation": {"steps": OWN_STEPS}}, OWN_STEPS, None),
        ({"degradation": {"steps": []}}, [], None),
        ({}, None, None),
    ],
)
def test_steps_are_filled_in_where_degradation_is_asked_for_without_them(
    spec: Json, steps: Any, note: str | None
) -> None:
    assert told(filled(resource(spec)))[2:] == (steps, note)


def test_steps_that_equal_their_note_follow_the_limit_unless_somebody_owns_them() -> None:
    item = filled(resource({"degradation": {}}))
    item["spec"]["queue"]["maxDepth"] = 8
    assert told(filled(item))[2][0] == {"above": 2, "maxTokens": 128}
    item["metadata"]["managedFields"] = [manager(STEPS_FIELD)]
    assert told(filled(item))[2:] == (DEFAULT_STEPS, None)
    item["metadata"]["managedFields"] = [manager(STEPS_FIELD, STEPS_NOTE_FIELD)]
    assert told(filled(item))[2][0] == {"above": 2, "maxTokens": 128}


def test_an_apply_that_takes_the_steps_out_is_read_as_the_empty_object_that_it_asks_for() -> None:
    """The API server makes null of it."""
    applied = [manager("spec|degradation", operation="Apply")]
    assert told(filled(resource({"degradation": None}, None, applied)))[2] == DEFAULT_STEPS
    for managers in (None, [manager("spec|degradation")]):  # the schema refuses it
        item = resource({"degradation": None}, None, managers)
        assert filled(item)["spec"]["degradation"] is None


def test_a_degradation_that_goes_takes_its_note_along() -> None:
    item = filled(resource({"degradation": {}}))
    del item["spec"]["degradation"]
    assert told(filled(item))[2:] == (None, None)


@pytest.mark.parametrize(
    "degradation",
    [
        7,
        [],
        {"steps": {}},
        {"steps": [7]},
        {"steps": [{"above": "x", "maxTokens": 1}]},
        {"maxTokens": "many"},
    ],
)
def test_a_degradation_that_cannot_be_read_is_left_to_the_schema(degradation: Any) -> None:
    assert default_operations(resource({"degradation": degradation}), 128) == []
