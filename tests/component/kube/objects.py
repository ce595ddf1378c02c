"""Objects that the tests put on the API server."""

from __future__ import annotations

from typing import Any

from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

MANAGER = "tests"


def service_manifest(namespace: str, name: str, **spec: Any) -> Json:
    """A small InferenceService."""
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}} | spec,
    }


def template(service: str) -> Json:
    """A worker's pod template, as far as the API server checks it."""
    return {
        "metadata": {"labels": {"tidegate.io/inferenceservice": service}},
        "spec": {"containers": [{"name": "engine", "image": "none"}], "enableServiceLinks": False},
    }


def worker_deployment(namespace: str, service: str, replicas: int = 0) -> Json:
    """A service's worker Deployment."""
    selector = {"matchLabels": {"tidegate.io/inferenceservice": service}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{service}-worker", "namespace": namespace},
        "spec": {"replicas": replicas, "selector": selector, "template": template(service)},
    }


async def create_service(client: KubeClient, namespace: str, name: str, **spec: Any) -> Json:
    """An InferenceService on the API server."""
    manifest = service_manifest(namespace, name, **spec)
    return await client.create(paths.inference_services(namespace), manifest, field_manager=MANAGER)


async def create_deployment(client: KubeClient, namespace: str, service: str, replicas: int = 0) -> Json:
    """A service's worker Deployment on the API server; no controller makes pods of it."""
    manifest = worker_deployment(namespace, service, replicas)
    return await client.create(paths.deployments(namespace), manifest, field_manager=MANAGER)


async def create_pod(client: KubeClient, namespace: str, service: str, name: str) -> Json:
    """A worker pod, bound to no node, so that a deletion is final at once."""
    body: Json = {"apiVersion": "v1", "kind": "Pod", **template(service)}
    body["metadata"] = {"name": name, "namespace": namespace, **body["metadata"]}
    return await client.create(paths.pods(namespace), body, field_manager=MANAGER)


async def set_pod_status(client: KubeClient, namespace: str, name: str, status: Json) -> None:
    """Plays the kubelet."""
    path = f"{paths.pod(namespace, name)}/status"
    await client.merge_patch(path, {"status": status}, field_manager="kubelet")


async def replicas(client: KubeClient, namespace: str, service: str) -> int:
    """How many workers the service's Deployment asks for."""
    scale = await client.get(paths.deployment_scale(namespace, f"{service}-worker"))
    return int(scale["spec"].get("replicas", 0))
