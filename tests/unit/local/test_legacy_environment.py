"""What the older gateway's variables set, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.api.v1alpha1 import parse
from tidegate.local.manifests.legacy_environment import (
    Legacy,
    gateway_only,
    read_legacy,
    sentences,
    with_legacy,
)


def document(**scaling: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"model": {"uri": "file:///m"}, "resources": {"cpu": 1, "memory": "1Gi"}}
    spec |= {"scaling": scaling} if scaling else {}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "chat"},
        "spec": spec,
    }


def test_none_of_them_changes_nothing() -> None:
    assert read_legacy({}) == read_legacy({"IDLE_TIMEOUT_SEC": "", "Q_MAX": " "}) == Legacy()
    assert with_legacy(Legacy(), document()) == document()
    assert sentences(Legacy()) == ()


def test_they_are_read_as_they_were_written() -> None:
    said = {"IDLE_TIMEOUT_SEC": "600", "Q_MAX": " 64 ", "ENABLE_SUPERVISOR": "False"}
    assert read_legacy(said) == Legacy(600, 64, supervisor=False)


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False)]
)
def test_the_supervisor_is_on_or_off(text: str, expected: bool) -> None:
    assert read_legacy({"ENABLE_SUPERVISOR": text}).supervisor is expected


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        (
            "IDLE_TIMEOUT_SEC",
            "10m",
            "IDLE_TIMEOUT_SEC: '10m' is not a whole number of seconds from 0 to 604800",
        ),
        ("IDLE_TIMEOUT_SEC", "604801", "IDLE_TIMEOUT_SEC: '604801' is not a whole number"),
        ("IDLE_TIMEOUT_SEC", "-1", "IDLE_TIMEOUT_SEC: '-1' is not"),
        ("Q_MAX", "0", "Q_MAX: '0' is not a whole number of requests from 1 to 100000"),
        ("Q_MAX", "²", "Q_MAX: '²' is not"),
        (
            "ENABLE_SUPERVISOR",
            "maybe",
            r"ENABLE_SUPERVISOR: 'maybe' is neither on \(1, true, yes, on\) nor off",
        ),
    ],
)
def test_a_value_that_cannot_be_obeyed_is_named(name: str, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        read_legacy({name: text})


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"IDLE_TIMEOUT_SEC: .*; Q_MAX: "):
        read_legacy({"IDLE_TIMEOUT_SEC": "x", "Q_MAX": "y"})


def test_the_idle_timeout_holds_where_the_manifest_says_none() -> None:
    filled = with_legacy(Legacy(600), document())
    assert parse(filled, strict=True).spec.scaling.idle_timeout_seconds == 600
    kept = with_legacy(Legacy(600), document(idleTimeoutSeconds=5))
    assert parse(kept, strict=True).spec.scaling.idle_timeout_seconds == 5


def test_it_never_contradicts_what_the_manifest_says_beside_it() -> None:
    filled = with_legacy(Legacy(600), document(maxIdleTimeoutSeconds=90))
    assert parse(filled, strict=True).spec.scaling.idle_timeout_seconds == 90


def test_where_others_set_the_number_of_workers_it_is_not_written() -> None:
    external = document(mode="External")
    assert with_legacy(Legacy(600), external) is external


@pytest.mark.parametrize(
    "strange", [{"kind": "Secret", "spec": {}}, {"kind": "InferenceService"}, document() | {"spec": 3}]
)
def test_what_is_no_service_is_left_to_those_who_judge_it(strange: dict[str, Any]) -> None:
    assert with_legacy(Legacy(600), strange) is strange


def test_the_given_document_is_never_changed() -> None:
    given = document(maxReplicas=2)
    with_legacy(Legacy(600), given)
    assert given == document(maxReplicas=2)


def test_the_log_says_what_they_bring_about() -> None:
    idle, depth, off = sentences(Legacy(600, 64, supervisor=False))
    assert idle.startswith("IDLE_TIMEOUT_SEC: 600 s")
    assert depth.startswith("Q_MAX: 64 requests")
    assert off.startswith("ENABLE_SUPERVISOR: off")


def test_the_gateway_alone_serves_one_file(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    assert gateway_only([str(file)]) == file
    for given in ([], ["-"], [str(tmp_path)], [str(file), str(file)]):
        with pytest.raises(ValueError, match=r"^ENABLE_SUPERVISOR: is off, so -f must name one file"):
            gateway_only(given)
