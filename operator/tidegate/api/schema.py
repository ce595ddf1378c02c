"""pydantic's JSON schema made structural, as the API server wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def structural_schema(model: type[BaseModel]) -> Schema:
    """The OpenAPI v3 schema of a model: no $ref, no anyOf for optional fields."""
    document = model.model_json_schema(by_alias=True)
    return _object(model, _inline(document, document.get("$defs", {})))


def _inline(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[1]]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return _tidy({key: _inline(value, definitions) for key, value in node.items() if key != "$defs"})


def _tidy(node: Schema) -> Schema:
    node = _without(_without_null(node), "propertyNames")  # names of a map are a CEL rule's business
    if isinstance(node.get("title"), str):
        node = _without(node, "title")
    if "const" in node:
        node = {**_without(node, "const"), "enum": [node["const"]]}
    return _without(node, "default") if node.get("default", 0) in (None, [], {}) else node


def _without(node: Schema, name: str) -> Schema:
    return {key: value for key, value in node.items() if key != name}


def _without_null(node: Schema) -> Schema:
    """``anyOf: [X, null]`` is X: a field that may be left out is simply not required."""
    choices = [choice for choice in node.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return node
    return {**choices[0], **_without(node, "anyOf")}


def _object(model: type[BaseModel], schema: Schema) -> Schema:
    """An object that may be left out gets ``default: {}``, so that the defaults within it are filled in."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            continue
        key = field.alias or name
        schema["properties"][key] = _object(inner, schema["properties"][key])
        if field.default_factory is inner and _has_defaults(schema["properties"][key]):
            schema["properties"][key]["default"] = {}
    return schema


def _has_defaults(schema: Schema) -> bool:
    return any("default" in child for child in schema["properties"].values())
