"""The owner reference by which an object goes with the chart that needs it."""

from __future__ import annotations

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import NotFoundError


async def owner_reference(client: KubeClient, namespace: str, deployment: str) -> Json | None:
    """A reference to a Deployment; None where it does not exist: the program runs outside the cluster."""
    try:
        found = await client.get(paths.deployment(namespace, deployment))
    except NotFoundError:
        return None
    uid = found["metadata"]["uid"]
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid}
