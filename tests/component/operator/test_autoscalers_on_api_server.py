"""Kubernetes' own HorizontalPodAutoscaler controller and a running operator, before one API server."""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.component.chart.audit import entries_of
from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import SYSTEM, World, ready_status
from tests.metrics_api.documented import documented
from tests.metrics_api.manifests import api_service
from tests.metrics_api.server import METRIC, MetricsServer, tls
from tidegate.devcluster import ApiServer
from tidegate.devcluster.apiserver import find_programs
from tidegate.devcluster.certificates import new_authority
from tidegate.devcluster.progress import Progress
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage", "metrics")]

HPA = "system:kube-controller-manager"
PERIOD = 1.0  # seconds between two looks of the HPA's controller


@pytest.fixture(scope="module")
def metrics(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MetricsServer]:
    """A metrics API behind the API server, and the controller that reads it."""
    folder = tmp_path_factory.mktemp("metrics")
    new_authority(folder).server("metrics", "metrics", [f"metrics.{SYSTEM}.svc"])
    context = tls(
        str(folder / "metrics.crt"), str(folder / "metrics.key"), str(server.plane.state.front_proxy / "ca.crt")
    )
    serving = MetricsServer(("127.0.0.1", 0), context, lambda *_: 0.0)
    serving.authority = (folder / "ca.crt").read_bytes()
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    program = find_programs(Progress(sys.stderr), ["kube-controller-manager"])["kube-controller-manager"]
    try:
        with server.autoscaler(program, PERIOD):
            yield serving
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def registered(kube: KubeClient, stage: Stage, metrics: MetricsServer) -> AsyncIterator[None]:
    port = metrics.server_address[1]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics"},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    await kube.create(paths.services(SYSTEM), service, field_manager="tests")
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    made = await kube.create(path, api_service(SYSTEM, "metrics", int(port), metrics.authority), field_manager="tests")

    async def available() -> bool:
        found = await kube.get(f"{path}/{made['metadata']['name']}")
        print(found.get("status"))
        return any(c["type"] == "Available" and c["status"] == "True" for c in found.get("status", {}).get("conditions", ()))

    await eventually(available, "the metrics API is available", seconds=20)
    yield
    await kube.delete(f"{path}/{made['metadata']['name']}")


async def test_x(world: World, metrics: MetricsServer, server: ApiServer) -> None:
    await world.create("qwen", scaling={"mode": "External"}, replicas=1)
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "qwen", "namespace": world.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceService", "name": "qwen"},
            "minReplicas": 1,
            "maxReplicas": 4,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            "metrics": [{"type": "External", "external": {"metric": {"name": METRIC, "selector": {"matchLabels": {"service": "qwen"}}}, "target": {"type": "AverageValue", "averageValue": "24"}}}],
        },
    }
    await world.phase("qwen", "Starting")
    metrics.values[METRIC] = 60
    path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
    await world.kube.create(path, hpa, field_manager="tests")
    try:
        await eventually(lambda: _replicas(world, "qwen", 3), "three", seconds=30)
    finally:
        print(json.dumps((await world.kube.get(path + "/qwen")).get("status"), indent=1))
    metrics.values[METRIC] = 1
    await eventually(lambda: _replicas(world, "qwen", 1), "one", seconds=30)
    print(json.dumps((await world.get("qwen"))["metadata"]["managedFields"], indent=1))
    managed = {"spec": {"replicas": None, "scaling": {"mode": "Managed"}}}
    await world.kube.merge_patch(paths.inference_service(world.namespace, "qwen"), managed, field_manager="x")
    time.sleep(4)
    print(json.dumps((await world.kube.get(path + "/qwen")).get("status"), indent=1))
    print([(e["verb"], e["user"]["username"], e["responseStatus"]["code"], e["requestURI"]) for e in entries_of(server.audit_log) if "qwen" in e["requestURI"] and e["verb"]!="watch" and "scale" in e["requestURI"]])
    for e in await world.kube.list_all(f"/api/v1/namespaces/{world.namespace}/events"):
        print(e["reason"], e["message"], e.get("count"), e["involvedObject"]["kind"])


async def _replicas(world: World, name: str, count: int) -> bool:
    return await world.replicas(name) == count
