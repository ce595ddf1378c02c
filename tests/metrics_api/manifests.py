"""What makes the metrics API known to the API server."""

from __future__ import annotations

import base64
from typing import Any

from tests.metrics_api.server import GROUP_VERSION

Json = dict[str, Any]


def api_service(namespace: str, service: str, port: int, ca: bytes) -> Json:
    """The registration of a metrics API that a Service leads to, with the authority that signed for it."""
    group, _, version = GROUP_VERSION.partition("/")
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}"},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "service": {"namespace": namespace, "name": service, "port": port},
            "caBundle": base64.b64encode(ca).decode(),
        },
    }
