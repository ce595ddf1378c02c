"""The chart's files, without helm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tidegate.domain.limits import DEFAULT_MAX_DEPTH
from tidegate.resources import names

CHART = Path("charts/tidegate")


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return found


def test_the_charts_crds_are_copies_of_the_generated_ones() -> None:
    def texts(folder: Path) -> dict[str, str]:
        return {path.name: path.read_text() for path in folder.glob("*.yaml")}

    assert texts(CHART / "files" / "crds") == texts(Path("crds"))


def test_the_schema_knows_every_value_and_takes_the_defaults() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    jsonschema.validate(values(), schema())


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, value in tree.items():
        deeper = leaves(value, (*path, name)) if isinstance(value, dict) else []
        found += deeper or [(*path, name)]
    return found


@pytest.mark.parametrize("path", leaves(values()), ids=".".join)
def test_a_misspelt_value_is_refused_wherever_it_stands(path: tuple[str, ...]) -> None:
    if {"annotations", "podAnnotations", "nodeSelector", "affinity", "requests", "limits"} & set(path):
        return  # the user's own names
    tree = values()
    parent = tree
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1] + "x"] = parent.pop(path[-1])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, schema())


def test_every_value_is_used_and_explained() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for path in leaves(values()):
        assert any(f".{'.'.join(path[:length])}" in templates for length in range(2, len(path) + 1)) or (
            f".{path[-1]}" in templates
        ), f"{'.'.join(path)} is used nowhere"


def test_chart_and_code_agree_on_names_and_defaults() -> None:
    templates = {path.name: path.read_text() for path in (CHART / "templates").iterdir()}
    assert f"contains('{names.SERVICE_LABEL}=')" in templates["policy-gateway.yaml"]
    assert f"'{names.CPU_POLICY_LABEL}'" in templates["policy-operator.yaml"]
    assert f"apiVersions: [{names.VERSION}]" in templates["webhook.yaml"]
    assert f"containerPort: {names.OPERATOR_WEBHOOK_PORT}" in templates["operator.yaml"]
    assert f"containerPort: {names.GATEWAY_PORT}" in templates["gateway.yaml"]
    assert f"containerPort: {names.GATEWAY_ADMIN_PORT}" in templates["gateway.yaml"]
    assert f"containerPort: {names.GATEWAY_PEER_PORT}" in templates["gateway.yaml"]
    assert values()["queue"]["defaultMaxDepth"] == DEFAULT_MAX_DEPTH
