"""Who owns a field, from an object's managedFields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tidegate.resources.names import FIELD_MANAGER


def other_managers(observed: Mapping[str, Any], paths: Iterable[str]) -> tuple[str, ...]:
    """The field managers besides us that own any of these paths, which are as ``differences`` writes them."""
    entries = [
        entry for entry in observed["metadata"].get("managedFields") or [] if isinstance(entry, Mapping)
    ]
    wanted = tuple(paths)
    found = {
        str(entry.get("manager"))
        for entry in entries
        if entry.get("manager") != FIELD_MANAGER
        and any(_owns(entry.get("fieldsV1") or {}, path) for path in wanted)
    }
    return tuple(sorted(found))


def _owns(fields: Mapping[str, Any], path: str) -> bool:
    """``f:name`` stands for .name, ``k:{"name":"engine"}`` for [engine]; below an owned leaf all is owned."""
    if not path:
        return True
    for key, below in fields.items():
        for token in _tokens(key):
            rest = path[len(token) :]
            if path.startswith(token) and rest[:1] in ("", ".", "["):
                return not below or _owns(below, rest)
    return False


def _tokens(key: str) -> list[str]:
    if key.startswith("f:"):
        return [f".{key[2:]}"]
    if key.startswith("k:"):
        return [f"[{value}]" for value in json.loads(key[2:]).values()]
    return []
