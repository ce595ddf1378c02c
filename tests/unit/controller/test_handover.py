"""The number of workers goes along when an InferenceService changes hands."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest

from tidegate.controller.handover import handover


def resource(mode: str | None, replicas: int | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {}, "spec": spec | ({} if mode is None else {"scaling": {"mode": mode}})}


def written(new: dict[str, Any], old: dict[str, Any] | None, running: int | None = None) -> Any:
    """spec.replicas as it is stored, None where it is absent."""
    operations = list(handover(new, old, running).operations)
    stored: dict[str, Any] = jsonpatch.apply_patch(copy.deepcopy(new), operations)
    return stored["spec"].get("replicas")


@pytest.mark.parametrize(("running", "kept"), [(4, 4), (1, 1), (0, 1), (None, 1)])
def test_a_switch_to_external_without_a_number_keeps_the_workers_that_there_are(
    running: int | None, kept: int
) -> None:
    change = handover(resource("External"), resource("Managed"), running)
    assert written(resource("External"), resource("Managed"), running) == kept
    assert f"set to {kept}" in change.warnings[0]


@pytest.mark.parametrize("number", [0, 3])
def test_a_number_that_somebody_writes_is_left_alone(number: int) -> None:
    assert handover(resource("External", number), resource("Managed"), 5).operations == ()
    assert handover(resource("External", number), resource("External", 7), 5).operations == ()


def test_a_manifest_without_a_number_does_not_take_away_the_one_that_an_autoscaler_wrote() -> None:
    change = handover(resource("External"), resource("External", 6), 2)
    assert written(resource("External"), resource("External", 6), 2) == 6
    assert written(resource("External"), resource("External", 0), 2) == 0
    assert change.warnings == (), "nothing has changed"


def test_one_that_is_created_without_a_number_begins_with_one_worker() -> None:
    assert written(resource("External"), None) == 1
    assert written(resource("External"), None, 4) == 1, "those of a predecessor are going"
    assert handover(resource("External"), None, None).warnings == ()


def test_the_number_that_others_set_goes_when_tidegate_takes_over() -> None:
    change = handover(resource("Managed", 3), resource("External", 3), 3)
    assert written(resource("Managed", 3), resource("External", 3), 3) is None
    assert "delete any HorizontalPodAutoscaler" in change.warnings[0]
    assert handover(resource("Managed"), resource("External", 3), 3).operations == ()


def test_a_number_in_a_manifest_is_left_for_the_schema_to_refuse() -> None:
    server = {"managedFields": [{"operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}
    kubectl = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"spec":{"replicas":3}}'}}
    scaled = {
        "managedFields": [
            {"operation": "Update", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        ]
    }
    for metadata, kept in ((server, 3), (kubectl, 3), (scaled, None)):
        new = resource("Managed", 3) | {"metadata": metadata}
        assert written(new, resource("External", 3), 3) == kept


@pytest.mark.parametrize("old", [None, resource("Managed"), resource("External", 2)])
def test_a_number_that_is_set_in_managed_is_left_for_the_schema_to_refuse(old: dict[str, Any] | None) -> None:
    assert written(resource("Managed", 3), old, 2) == 3
    assert written(resource(None, 3), old, 2) == 3


@pytest.mark.parametrize("spec", [None, [], {"scaling": None}, {"scaling": "External"}, {"scaling": {}}])
def test_what_cannot_be_read_is_left_to_the_schema(spec: Any) -> None:
    item = {"metadata": {}, "spec": spec}
    assert handover(item, item, 2).operations == ()
