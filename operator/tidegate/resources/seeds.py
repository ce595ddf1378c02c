"""What an object is created with: as little as its kind allows."""

from __future__ import annotations

from typing import Any

from tidegate.resources.names import SERVICE_LABEL

# Without these the API server refuses the kind, or the object would be another thing for a moment.
_NEEDED = {"Service": ("type", "externalName"), "PodDisruptionBudget": ("selector",)}


def seed_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The least of this manifest that a POST may create; an apply of the whole must follow.

    What a POST wrote stays its manager's, also when a later apply drops it. So a field that a later version
    may drop is written by apply alone.
    """
    needed = _NEEDED[manifest["kind"]]
    spec = {name: value for name, value in manifest["spec"].items() if name in needed}
    return {**manifest, "metadata": least_metadata(manifest["metadata"]), "spec": spec}


def least_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Enough to be found by its service, and collected with it."""
    kept = {name: metadata[name] for name in ("name", "namespace", "ownerReferences")}
    return {**kept, "labels": {SERVICE_LABEL: metadata["labels"][SERVICE_LABEL]}}
