"""Everything that is on a cluster, by the discovery of its own API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

# What comes and goes by itself: it belongs to nobody's release.
OF_THE_CLUSTER = {
    "events",
    "leases.coordination.k8s.io",
    "componentstatuses",
    "apiservices.apiregistration.k8s.io",
}


def collections(admin: httpx.Client) -> Iterator[tuple[str, str]]:
    """Resource (with its group) and path of each kind that can be listed, in the preferred version."""
    yield from _of_version(admin, "/api/v1", "")
    for group in admin.get("/apis").raise_for_status().json()["groups"]:
        yield from _of_version(admin, f"/apis/{group['preferredVersion']['groupVersion']}", group["name"])


def _of_version(admin: httpx.Client, base: str, group: str) -> Iterator[tuple[str, str]]:
    for resource in admin.get(base).raise_for_status().json()["resources"]:
        if "list" in resource["verbs"] and "/" not in resource["name"]:
            yield f"{resource['name']}.{group}".rstrip("."), f"{base}/{resource['name']}"


def inventory(admin: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every object by kind, namespace and name, with its labels and annotations."""
    found = {}
    for resource, path in collections(admin):
        if resource in OF_THE_CLUSTER or resource.startswith("events."):
            continue
        for item in admin.get(path).raise_for_status().json()["items"]:
            metadata = item["metadata"]
            name = f"{resource} {metadata.get('namespace', '')}/{metadata['name']}"
            found[name] = {key: metadata.get(key, {}) for key in ("labels", "annotations")}
    return found


def difference(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """What is new, gone or labelled otherwise."""
    names = sorted(before.keys() | after.keys())
    return [
        f"{name}: {before.get(name)} → {after.get(name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]
