"""The chart's files, without helm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tidegate.control.validation import GATEWAY_MARGIN
from tidegate.domain.deletion_order import COST_ANNOTATION
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


def properties(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every property that the schema names, by its place in the schema."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items():
            yield (*path, name), child
        for name, child in node.items():
            yield from properties(child, (*path, name))
    elif isinstance(node, list):
        for child in node:
            yield from properties(child, path)


@pytest.mark.parametrize(("path", "node"), list(properties(schema())), ids=lambda part: ".".join(part)[:60])
def test_the_schema_says_what_each_value_is(path: tuple[str, ...], node: dict[str, Any]) -> None:
    assert len(node["description"]) > 5


def test_an_object_of_the_schema_either_names_its_fields_or_is_a_map() -> None:
    free = [
        ".".join(path)
        for path, node in properties(schema())
        if node.get("type") == "object" and "additionalProperties" not in node
    ]
    kubernetes_checks = ("valueFrom", "nodeAffinity", "podAffinity", "podAntiAffinity")
    assert [path for path in free if not path.endswith((*kubernetes_checks, "global"))] == []


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, value in tree.items():
        deeper = leaves(value, (*path, name)) if isinstance(value, dict) else []
        found += deeper or [(*path, name)]
    return found


@pytest.mark.parametrize("path", leaves(values()), ids=".".join)
def test_a_misspelt_value_is_refused_wherever_it_stands(path: tuple[str, ...]) -> None:
    own = {"annotations", "podAnnotations", "nodeSelector", "requests", "limits"}
    if own & set(path):
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
    margin = f"(.Values.gateway.terminationGracePeriodSeconds | int) {GATEWAY_MARGIN})"
    assert f"--drain-seconds={{{{ max 1 (sub {margin}" in templates["gateway.yaml"]
    assert f"--gateway-drain-seconds={{{{ max 1 (sub {margin}" in templates["operator.yaml"]
    assert f"'{names.CPU_POLICY_LABEL}'" in templates["policy-operator.yaml"]
    assert f"'{names.SERVICE_LABEL}' in variables.labels" in templates["policy-operator.yaml"]
    assert f"'{COST_ANNOTATION}'" in templates["policy-operator.yaml"]
    assert f"apiVersions: [{names.VERSION}]" in templates["webhook.yaml"]
    assert f"containerPort: {names.OPERATOR_WEBHOOK_PORT}" in templates["operator.yaml"]
    assert f"containerPort: {names.GATEWAY_PORT}" in templates["gateway.yaml"]
    assert f"containerPort: {names.GATEWAY_ADMIN_PORT}" in templates["gateway.yaml"]
    assert f"containerPort: {names.GATEWAY_PEER_PORT}" in templates["gateway.yaml"]
    assert values()["queue"]["defaultMaxDepth"] == DEFAULT_MAX_DEPTH
