"""Until a kind is served and found: an API server learns of its CRDs and groups by watches of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

GROUP = "tidegate.io"
_AGGREGATED = {"accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Returns when the condition holds; AssertionError when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def discovered(admin: httpx.Client) -> bool:
    """Whether tidegate's kinds are served and clients find them: helm and kubectl ask for all groups."""
    found = GROUP in _groups(admin)
    return found and admin.get(f"/apis/{GROUP}/v1alpha1/inferenceservices").status_code == 200


def undiscovered(admin: httpx.Client) -> bool:
    """Whether no client finds the group any more."""
    return GROUP not in _groups(admin)


def explained(admin: httpx.Client) -> bool:
    """Whether the kinds have a schema that ``kubectl explain`` and ``kubectl apply`` can read."""
    paths = admin.get("/openapi/v3").raise_for_status().json()["paths"]
    return f"apis/{GROUP}/v1alpha1" in paths


def _groups(admin: httpx.Client) -> set[str]:
    answer = admin.get("/apis", headers=_AGGREGATED).raise_for_status().json()
    return {each["metadata"]["name"] for each in answer["items"]}
