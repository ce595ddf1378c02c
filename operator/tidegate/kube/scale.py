"""The scale subresource of a worker Deployment: the only place where its replicas are written."""

from __future__ import annotations

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.resources.names import FIELD_MANAGER


async def write_scale(client: KubeClient, deployment: Json, replicas: int) -> Json:
    """Tell a Deployment, as it was observed, how many workers to run; returns it as it is after that.

    A decrease carries the resourceVersion on which it was decided: whoever raised the count meanwhile, or
    changed anything else, makes it a ConflictError. KubeError otherwise.
    """
    metadata = deployment["metadata"]
    name = {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]}
    if replicas < deployment["spec"].get("replicas", 0):
        name["resourceVersion"] = metadata["resourceVersion"]
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": name,
        "spec": {"replicas": replicas},
    }
    path = paths.deployment_scale(metadata["namespace"], metadata["name"])
    answer = await client.replace(path, scale, field_manager=FIELD_MANAGER)
    return {
        **deployment,
        "metadata": {**metadata, "resourceVersion": answer["metadata"]["resourceVersion"]},
        "spec": {**deployment["spec"], "replicas": answer["spec"].get("replicas", 0)},
    }
