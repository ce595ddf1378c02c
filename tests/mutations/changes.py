"""The changes that are tried on a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.mutations.fields import ABSENT, Field
from tests.mutations.samples import NEVER, example, legal

UNICODE = "Ωμέγα-模型-\u202e🦜"


@dataclass(frozen=True)
class Change:
    """One value for one field; ``kind``: what sort of change it is."""

    field: Field
    kind: str
    value: object

    def __str__(self) -> str:
        value = "nothing" if self.value is ABSENT else repr(self.value)[:60]
        return f"{self.field.name} {self.kind} ({value})"


def changes(field: Field) -> Iterator[Change]:
    """All that are tried: missing, null, empty, zero, negative, huge, of another type, unicode, legal."""
    yield Change(field, "missing", ABSENT)
    yield Change(field, "null", None)
    for kind, values in _wrong(field).items():
        yield from (Change(field, kind, value) for value in values)
    yield from (Change(field, "legal", value) for value in legal(field.name, field.schema))


def is_never_legal(field: Field) -> bool:
    """Whether the field is there to be refused."""
    return field.name.startswith(NEVER)


def _wrong(field: Field) -> dict[str, list[Any]]:
    schema = field.schema
    if schema.get("x-kubernetes-int-or-string"):
        return _amounts()
    match schema["type"]:
        case "integer":
            return _numbers()
        case "boolean":
            return {"another type": ["true", 1, []], "zero": [0]}
        case "string":
            return _texts(int(schema.get("maxLength", 64)))
        case "array":
            return _lists(field)
        case _:
            return _objects(field)


def _amounts() -> dict[str, list[Any]]:
    return {
        "zero": [0, "0"],
        "negative": [-1, "-1Gi"],
        "tiny": ["1n", "0.0000000001", "1.0000000000001Ki"],
        "huge": [10**12, 2**63 - 1, "99999", "9999999E", "1e300", "1" * 25],
        "another type": [True, 1.5, [], {}, "much"],
        "empty": [""],
        "unicode": [UNICODE, "1\u0661Gi"],
    }


def _numbers() -> dict[str, list[Any]]:
    return {
        "zero": [0],
        "negative": [-1],
        "huge": [10**12, 2**63 - 1, 10**30],
        "another type": ["7", 1.5, True, [], {}],
    }


def _texts(most: int) -> dict[str, list[Any]]:
    return {
        "empty": [""],
        "huge": ["a" * (most + 1), "a" * most],
        "another type": [7, True, ["a"], {"a": "b"}],
        "unicode": [UNICODE, f"a{UNICODE}", "a\u0000b", "a\nb", " a "],
    }


def _lists(field: Field) -> dict[str, list[Any]]:
    item = example(f"{field.name}[]", field.schema["items"])
    return {
        "empty": [[]],
        "huge": [[item] * (int(field.schema.get("maxItems", 64)) + 1)],
        "doubled": [[item, item]],
        "another type": ["a", 7, {"a": "b"}],
        "of nothing": [[None], [[]], [{}]],
    }


def _objects(field: Field) -> dict[str, list[Any]]:
    wrong: dict[str, list[Any]] = {
        "empty": [{}],
        "another type": ["a", 7, [], True],
        "unicode": [{UNICODE: "a"}, {UNICODE: {}}],
    }
    if isinstance(field.schema.get("additionalProperties"), dict):
        value = example(f"{field.name}{{}}", field.schema["additionalProperties"])
        most = int(field.schema.get("maxProperties", 64))
        wrong["huge"] = [{f"key-{at}": value for at in range(most + 1)}, {"a" * 64: value}]
        wrong["unicode"] = [{UNICODE: value}]
    return wrong
