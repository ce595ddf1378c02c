from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tidegate.api.crd import inference_service_crd, rendered
from tidegate.api.generated import generated_files

Json = dict[str, Any]


def schema() -> Json:
    root: Json = inference_service_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def nodes(node: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")


def test_every_generated_file_is_what_the_models_say() -> None:
    for name, text in generated_files().items():
        assert Path(name).read_text("utf-8") == text, f"{name} is stale; run make manifests"


def test_the_schema_is_structural_and_has_no_pydantic_left_in_it() -> None:
    for path, node in nodes(schema()):
        assert not {"$ref", "$defs", "title", "allOf", "const", "propertyNames", "exclusiveMinimum"} & set(
            node
        ), path
        if "anyOf" in node:
            assert node["x-kubernetes-int-or-string"], path
        else:
            assert isinstance(node["type"], str), path


def test_every_field_says_what_it_is() -> None:
    for path, node in nodes(schema()["properties"]["spec"], ".spec"):
        if not path.endswith("[]"):
            assert node["description"].endswith("."), path


def test_every_list_string_number_and_map_is_bounded() -> None:
    for path, node in nodes(schema()["properties"]["spec"], ".spec"):
        kind = node.get("type")
        if kind == "array":
            assert "maxItems" in node, path
        elif kind == "string":
            assert "maxLength" in node or "enum" in node, path
        elif kind == "integer":
            assert {"minimum", "maximum"} <= set(node), path
        elif kind == "object" and "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_a_duration_names_its_unit_and_its_default() -> None:
    for path, node in nodes(schema()["properties"]["spec"], ".spec"):
        if path.endswith("Seconds") and "tolerations" not in path:
            assert "econds" in node["description"], path
            assert "default" not in node or f"Default: {node['default']}." in node["description"], path


def test_only_the_documented_defaults_are_defaulted() -> None:
    defaults = {path: node["default"] for path, node in nodes(schema()) if node.get("default", {}) != {}}
    assert defaults == {
        ".spec.engine.maxConcurrency": 32,
        ".spec.engine.readinessPath": "/v1/models",
        ".spec.engine.startupDeadlineSeconds": 900,
        ".spec.engine.sleep.level": 1,
        ".spec.cpuIsolation": "Preferred",
        ".spec.rollout": "Replace",
        ".spec.suspend": False,
        ".spec.scaling.mode": "Managed",
        ".spec.scaling.minReplicas": 0,
        ".spec.scaling.maxReplicas": 1,
        ".spec.scaling.idleTimeoutSeconds": 180,
        ".spec.scaling.schedules[].timeZone": "UTC",
        ".spec.scaling.coldStartTimeoutSeconds": 300,
        ".spec.queue.maxBytes": "64Mi",
        ".spec.queue.waitTimeoutSeconds": 120,
        ".spec.queue.executionTimeoutSeconds": 300,
        ".spec.routing.policy": "LeastInFlight",
        ".spec.routing.retryUnstarted": True,
    }


def test_the_file_is_yaml_of_one_crd() -> None:
    (text,) = rendered().values()
    assert yaml.safe_load(text) == inference_service_crd()
