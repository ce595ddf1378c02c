"""What of an InferenceService applies on one machine, and what its user is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.unit.local.services import document
from tidegate.api.spec import InferenceServiceSpec
from tidegate.local.manifests.fields import FIELDS, Effect, field_warnings, fields_page
from tidegate.resources.names import RUNTIME_ANNOTATION

ROOT = Path(__file__).parents[3]


def paths(model: type[BaseModel], below: str = "") -> set[str]:
    """The fields of a model, and of the models directly in it."""
    found: set[str] = set()
    for name, each in model.model_fields.items():
        path = below + (each.alias or name)
        inner = [kind for kind in (each.annotation, *getattr(each.annotation, "__args__", ())) if kind]
        models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        found |= paths(models[0], f"{path}.") if models and not below else {path}
    return found


def test_every_field_of_the_spec_is_decided() -> None:
    decided = {name for each in FIELDS for name in each.path.replace(": ", ", ").split(", ")}
    for path in paths(InferenceServiceSpec):
        parts = path.split(".")
        above = {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        assert decided & above or any(each.startswith(f"{path}.") for each in decided), path


@pytest.mark.parametrize(
    "each", [each for each in FIELDS if each.effect is Effect.NONE], ids=lambda f: f.path
)
def test_a_field_without_effect_is_named_with_the_reason(each: Any) -> None:
    value: Any = {"kept": "x"}
    for name in reversed(each.path.split(".")):
        value = {name: value}
    assert field_warnings({"metadata": {}, "spec": value}) == [
        f"spec.{each.path}: has no effect here: {each.text}"
    ]


def test_a_plain_service_is_warned_of_nothing() -> None:
    assert field_warnings(document(placement={}, engine={"image": ""})) == []


def test_an_image_has_an_effect_where_a_container_is_asked_for() -> None:
    given = document(engine={"image": "vllm/vllm-openai"})
    assert field_warnings(given)
    given["metadata"]["annotations"] = {RUNTIME_ANNOTATION: "podman"}
    assert field_warnings(given) == []


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs/local-fields.md").read_text("utf-8") == fields_page()
