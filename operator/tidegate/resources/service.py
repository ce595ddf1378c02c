"""The Service by which clients in the cluster reach the gateway under the name of their InferenceService."""

from __future__ import annotations

from typing import Any

from tidegate.api.v1alpha1 import InferenceService
from tidegate.resources.labels import hashed, metadata
from tidegate.resources.names import client_service


def build_service(service: InferenceService, gateway_host: str) -> dict[str, Any]:
    """An ExternalName Service: the Host header that clients send tells the gateway which service is meant."""
    return hashed(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(service, client_service(service.metadata.name), component="client"),
            "spec": {"type": "ExternalName", "externalName": gateway_host},
        }
    )


def url(service: InferenceService, gateway_port: int) -> str:
    """Where clients in the cluster send their requests: an ExternalName leaves the port to them."""
    host = f"{service.metadata.name}.{service.metadata.namespace}.svc.cluster.local"
    return f"http://{host}/v1" if gateway_port == 80 else f"http://{host}:{gateway_port}/v1"
