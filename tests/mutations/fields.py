"""The fields of a structural schema, and values at their places."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

Json = dict[str, Any]
ABSENT = object()  # no value: the field is taken out
ITEM, ENTRY = "[]", "{}"  # a list's first item, a map's entry
ENTRY_KEY = "example.org/sample"


@dataclass(frozen=True)
class Field:
    """One field; ``path`` from the root, such as ("spec", "engine", "env", "[]", "name")."""

    path: tuple[str, ...]
    schema: Json

    @property
    def name(self) -> str:
        """The path in one word: spec.engine.env[].name."""
        return "".join(part if part in (ITEM, ENTRY) else f".{part}" for part in self.path)[1:]

    @property
    def shown(self) -> str:
        """As the API server's errors call it: spec.engine.env[0].name."""
        named = self.name.replace(ITEM, "[0]")
        return named.replace(ENTRY, f".{ENTRY_KEY}")


def fields(schema: Json, path: tuple[str, ...]) -> Iterator[Field]:
    """Every field below, parents first, list items and map entries included."""
    for name, child in schema.get("properties", {}).items():
        yield from _with_children(Field((*path, name), child))
    if "items" in schema:
        yield from _with_children(Field((*path, ITEM), schema["items"]))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _with_children(Field((*path, ENTRY), schema["additionalProperties"]))


def _with_children(field: Field) -> Iterator[Field]:
    yield field
    yield from fields(field.schema, field.path)


def placed(
    base: Json, path: tuple[str, ...], value: object, example: Callable[[tuple[str, ...]], Any]
) -> Json:
    """A copy of ``base`` with ``value`` at ``path``; what is missing on the way is an ``example``."""
    found = copy.deepcopy(base)
    node: Any = found
    for depth, part in enumerate(path[:-1], start=1):
        node = _child(node, part, partial(example, path[:depth]))
    _set(node, path[-1], value)
    return found


def _child(node: Any, part: str, example: Callable[[], Any]) -> Any:
    if part == ITEM:
        if not node:
            node.append(example())
        return node[0]
    key = ENTRY_KEY if part == ENTRY else part
    if not node.get(key):
        node[key] = example()
    return node[key]


def _set(node: Any, part: str, value: object) -> None:
    if part == ITEM:
        node[:1] = [] if value is ABSENT else [value]
    elif value is ABSENT:
        node.pop(ENTRY_KEY if part == ENTRY else part, None)
    else:
        node[ENTRY_KEY if part == ENTRY else part] = value
