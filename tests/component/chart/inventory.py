"""Everything that is on a cluster, by the discovery of its own API server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

Fetch = Callable[[str], Any]  # an API path → its JSON
Inventory = dict[str, dict[str, Any]]

# What the API server makes by itself: it belongs to nobody's release.
UNSTEADY = {"events", "events.events.k8s.io", "componentstatuses", "apiservices.apiregistration.k8s.io"}
OF_THE_CONTROL_PLANE = "leases.coordination.k8s.io kube-system/"  # an API server's own comes when it is ready


def fetching(admin: httpx.Client, patience: float = 60.0) -> Fetch:
    """Fetches with the administrator's client; after a change of a CRD its objects are 429 for a moment."""

    def fetch(path: str) -> Any:
        until = time.monotonic() + patience
        while (answer := admin.get(path)).status_code == 429 and time.monotonic() < until:
            time.sleep(float(answer.headers.get("Retry-After", "1")))
        return answer.raise_for_status().json()

    return fetch


def inventory(fetch: Fetch) -> Inventory:
    """Every object by kind, namespace and name, with its labels and annotations."""
    found = {}
    for resource, path in _collections(fetch):
        for item in fetch(path)["items"]:
            metadata = item["metadata"]
            name = f"{resource} {metadata.get('namespace', '')}/{metadata['name']}"
            if name.startswith(OF_THE_CONTROL_PLANE) or _made_by_the_api_server(metadata):
                continue
            found[name] = {key: metadata.get(key, {}) for key in ("labels", "annotations")}
    return found


def _made_by_the_api_server(metadata: dict[str, Any]) -> bool:
    """Such as the ConfigMaps of kube-system, some of which come when it is ready already."""
    managers = {each.get("manager") for each in metadata.get("managedFields", ())}
    return managers == {"kube-apiserver"}


def difference(before: Inventory, after: Inventory) -> list[str]:
    """What is new, gone or labelled otherwise."""
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return [f"{name}: {before.get(name)} → {after.get(name)}" for name in sorted(changed)]


def _collections(fetch: Fetch) -> Iterator[tuple[str, str]]:
    """Resource (with its group) and path of each kind that can be listed, in the preferred version."""
    yield from _of_version(fetch, "/api/v1", "")
    for group in fetch("/apis")["groups"]:
        yield from _of_version(fetch, f"/apis/{group['preferredVersion']['groupVersion']}", group["name"])


def _of_version(fetch: Fetch, base: str, group: str) -> Iterator[tuple[str, str]]:
    for resource in fetch(base)["resources"]:
        name = f"{resource['name']}.{group}".rstrip(".")
        if "list" in resource["verbs"] and "/" not in name and name not in UNSTEADY:
            yield name, f"{base}/{resource['name']}"
