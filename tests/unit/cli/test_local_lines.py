"""What a `tidegate up` says of its services: one line for each thing that a person waits for."""

from __future__ import annotations

from typing import Any

from tidegate.cli.local_lines import called, first_line, lines
from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.news import News

Json = dict[str, Any]


def service(phase: str, condition: str = "", **status: Any) -> Json:
    """``default/tiny`` in a phase; ``condition``: ``Reason: message`` of its condition Ready."""
    reason, _, message = (condition or phase).partition(": ")
    told = {"type": "Ready", "status": "True", "reason": reason, "message": message}
    spec = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "2Gi"}}
    return {
        "metadata": {"namespace": "default", "name": "tiny"},
        "spec": spec,
        "status": {"phase": phase, "conditions": [told], **status},
    }


def said(before: Json, after: Json) -> list[str]:
    """The lines of one change."""
    return list(lines(News(lambda: 0.0).take(before, after), after))


def scaling(desired: int, reason: str, message: str) -> Json:
    """status.scaling."""
    return {"desired": desired, "reason": reason, "message": message}


def test_a_service_is_called_by_its_namespace_only_where_it_has_one() -> None:
    assert called(ServiceKey("default", "tiny")) == "tiny"
    assert called(ServiceKey("team-a", "tiny")) == "team-a/tiny"


def test_the_first_line_says_what_it_is_and_how_it_begins() -> None:
    assert first_line(service("Idle")) == "Idle       hf://a/b, 1 core, 2Gi; the next request wakes it"
    assert first_line(service("Starting")) == "Starting   hf://a/b, 1 core, 2Gi"
    broken = first_line(service("Failed", "InvalidSpec: spec.model.uri: is missing"))
    assert broken == "Failed     InvalidSpec: spec.model.uri: is missing"


def test_a_change_of_phase_and_its_reason_are_one_line() -> None:
    before = service("Idle", scaling=scaling(0, "Idle", ""))
    woken = service("Starting", scaling=scaling(1, "Woken", "a request arrived, and a gateway woke it"))
    assert said(before, woken) == ["Starting   0 → 1 workers: a request arrived"]
    ready = service("Running", "Ready: 1 of 1 workers ready", ready="1/1", scaling=woken["status"]["scaling"])
    assert said(woken, ready) == ["Running    1/1 workers ready"]
    asleep = service("Idle", scaling=scaling(0, "Idle", "idle for 180 s (scaling.idleTimeoutSeconds)"))
    assert said(ready, asleep) == ["Idle       1 → 0 workers: idle for 180 s (scaling.idleTimeoutSeconds)"]


def test_a_failure_names_its_cause_once() -> None:
    failed = service("Failed", "ModelNotFound: /m does not exist")
    assert said(service("Starting"), failed) == ["Failed     ModelNotFound: /m does not exist"]


def test_more_workers_without_a_change_of_phase_are_a_line_too() -> None:
    before = service("Running", "Ready", scaling=scaling(1, "Woken", ""))
    after = service("Running", "Ready", scaling=scaling(2, "Demand", "40 requests wait or run"))
    assert said(before, after) == ["           1 → 2 workers: 40 requests wait or run"]


def test_what_is_wrong_beside_running_workers_is_said() -> None:
    after = service("Running", "EngineFailed: the engine ended with exit code 1")
    assert said(service("Running", "Ready"), after) == [
        "           EngineFailed: the engine ended with exit code 1"
    ]


def test_a_cold_start_is_left_to_its_table() -> None:
    told = {"lastWorker": "w", "parts": {"load": "1.00"}}
    assert said(service("Running", "Ready"), service("Running", "Ready", coldStarts=told)) == []
