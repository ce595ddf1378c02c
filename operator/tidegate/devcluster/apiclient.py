"""A small client of the API server: is it ready, get, apply. It speaks as the administrator."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tidegate.devcluster.errors import ClusterError

MANAGER = "tidegate-devcluster"
PLURALS = {"StorageClass": "storageclasses"}  # kinds whose plural is not just kind + s


def admin_client(pki: Path, url: str, timeout: float = 30.0) -> httpx.Client:
    """A client with the administrator's certificate; the caller closes it. ``timeout``: seconds of silence
    after which a request fails; a machine that is short of cores may stand still for several."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    return httpx.Client(base_url=url, verify=context, timeout=timeout, trust_env=False)


def is_ready(client: httpx.Client) -> bool:
    """Whether the API server says that it is ready."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def get(client: httpx.Client, path: str) -> dict[str, Any] | None:
    """The object at `path`; None if there is none, or the API server cannot be reached."""
    try:
        answer = client.get(path)
    except httpx.HTTPError:
        return None
    found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return found


def apply(client: httpx.Client, manifest: Mapping[str, Any]) -> None:
    """Server-side apply of one object. A refusal is a ClusterError."""
    answer = client.patch(
        path_of(manifest),
        params={"fieldManager": MANAGER, "force": "true"},
        headers={"content-type": "application/apply-patch+yaml"},
        content=json.dumps(manifest),
    )
    if answer.status_code not in (200, 201):
        raise ClusterError(f"the API server refused {manifest['kind']}: {answer.text}")


def path_of(manifest: Mapping[str, Any]) -> str:
    """The path of an object, from its manifest."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{namespace}/{PLURALS.get(kind, kind.lower() + 's')}/{metadata['name']}"
