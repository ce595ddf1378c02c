"""The one thing that the operator writes on a pod: which of them a ReplicaSet deletes first."""

from __future__ import annotations

from tidegate.domain.deletion_order import COST_ANNOTATION
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.resources.names import FIELD_MANAGER


async def write_deletion_cost(client: KubeClient, namespace: str, pod: str, uid: str, cost: int) -> Json:
    """Write the annotation on this very pod; returns the pod. InvalidError: it is another one by now.

    By way of the status subresource, which lets annotations through and no spec: who may patch pods may
    replace any pod's image.
    """
    body = {"metadata": {"uid": uid, "annotations": {COST_ANNOTATION: str(cost)}}}
    return await client.merge_patch(paths.pod_status(namespace, pod), body, field_manager=FIELD_MANAGER)
