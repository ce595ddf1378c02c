"""docs/reference/inferenceservice.md, written from the same schema that the API server enforces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidegate.api.crd import inference_service_crd

Schema = Mapping[str, Any]

_HEAD = """# InferenceService

<!-- Generated from the models in operator/tidegate/api; `make manifests` writes it. -->

Group `tidegate.io`, version `v1alpha1`, namespaced; short name `infsvc`, category `inference`.
Where another group serves the same plural, write `inferenceservices.tidegate.io`.
Every field explains itself on the cluster too: `kubectl explain inferenceservice.spec.scaling`.
"""


def reference() -> str:
    """The page, as Markdown."""
    version = inference_service_crd()["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    sections = [_section(path, schema) for path, schema in _objects("", root) if path]
    columns = "\n".join(_column(column) for column in version["additionalPrinterColumns"])
    table = f"## Columns of kubectl get\n\n| column | shows | |\n|---|---|---|\n{columns}\n"
    return "\n".join([_HEAD, table, *sections])


def _column(column: Mapping[str, Any]) -> str:
    wide = "with `-o wide`" if column.get("priority") else ""
    return f"| {column['name'].upper()} | {column['description']} | {wide} |"


def _objects(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object in the schema that has fields, with its path, parents first."""
    if schema.get("type") == "array":
        yield from _objects(f"{path}[]", schema["items"])
    elif "properties" in schema:
        yield path, schema
        for name, child in schema["properties"].items():
            yield from _objects(f"{path}.{name}".lstrip("."), child)


def _section(path: str, schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = "\n".join(
        _row(name, field, required=name in required) for name, field in schema["properties"].items()
    )
    rules = "".join(f"\n- {_plain(rule['message'])}" for rule in schema.get("x-kubernetes-validations", ()))
    head = "| field | type | bounds | description |\n|---|---|---|---|"
    parts = [f"## {path}", _plain(schema.get("description", "")), f"{head}\n{rows}", rules.lstrip("\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _row(name: str, field: Schema, *, required: bool) -> str:
    mark = " (required)" if required else ""
    return f"| `{name}`{mark} | {_type(field)} | {_bounds(field)} | {_plain(field.get('description', ''))} |"


def _type(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in field:
        return " \\| ".join(str(value) for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _bounds(field: Schema) -> str:
    words = {
        "minimum": "≥ {}",
        "maximum": "≤ {}",
        "minLength": "≥ {} characters",
        "maxLength": "≤ {} characters",
        "minItems": "≥ {} items",
        "maxItems": "≤ {} items",
    }
    return ", ".join(text.format(field[key]) for key, text in words.items() if key in field)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
