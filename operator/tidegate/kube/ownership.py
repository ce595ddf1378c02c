"""Who wrote what in an object, from its managedFields."""

from __future__ import annotations

from tidegate.kube.client import Json
from tidegate.resources.names import FIELD_MANAGER


def wrote_label(raw: Json, label: str, manager: str = FIELD_MANAGER) -> bool:
    """Whether a label is as this field manager, and nobody else, wrote it; False where there are no
    managedFields to tell."""
    entries = raw["metadata"].get("managedFields") or []
    managers = {entry.get("manager") for entry in entries if _holds(entry.get("fieldsV1"), label)}
    return managers == {manager}


def _holds(fields: object, label: str) -> bool:
    for name in ("f:metadata", "f:labels"):
        fields = fields.get(name) if isinstance(fields, dict) else None
    return isinstance(fields, dict) and f"f:{label}" in fields
