"""Who wrote a field of an object: what tells a user's value from an equal one that was defaulted.

A webhook's patch belongs to nobody in managedFields, so whoever stands there wrote the field. One that also
wrote the annotation beside it gives back what was once defaulted: an export that is applied, or a restore.
A client-side apply of a value that is there already sends nothing of it; but it notes the whole manifest in
an annotation of its own.
"""

from __future__ import annotations

from typing import Any

import msgspec

Json = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def is_somebodys(resource: Json, path: tuple[str, ...], value: object, annotation: str) -> bool:
    """Whether somebody wrote ``value`` at ``path`` of ``resource`` without ``annotation`` beside it."""
    metadata = resource["metadata"]
    beside = ("metadata", "annotations", annotation)
    managers = _dicts(metadata.get("managedFields"))
    if any(_owns(each, path) and not _owns(each, beside) for each in managers):
        return True
    applied = _last_applied(metadata.get("annotations"))
    return _at(applied, path) == value and _at(applied, beside) is None


def was_applied(resource: Json, path: tuple[str, ...]) -> bool:
    """Whether a server-side apply asks for the field at ``path``, be it empty."""
    managers = _dicts(resource["metadata"].get("managedFields"))
    return any(each.get("operation") == "Apply" and _owns(each, path) for each in managers)


def in_a_manifest(resource: Json, path: tuple[str, ...]) -> bool:
    """Whether a manifest that somebody applies, by the server or by kubectl, has the field at ``path``."""
    applied = _last_applied(resource["metadata"].get("annotations"))
    return was_applied(resource, path) or _at(applied, path) is not None


def _owns(manager: Json, path: tuple[str, ...]) -> bool:
    """Whether an entry of managedFields, which is not of a subresource, has the field."""
    fields = tuple(f"f:{name}" for name in path)
    return not manager.get("subresource") and _at(manager.get("fieldsV1"), fields) is not None


def _last_applied(annotations: object) -> object:
    text = annotations.get(LAST_APPLIED) if isinstance(annotations, dict) else None
    try:
        return msgspec.json.decode(text) if isinstance(text, str) else None
    except msgspec.DecodeError:
        return None


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _dicts(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
