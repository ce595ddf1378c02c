"""HorizontalPodAutoscalers by Kubernetes' own controller: a metrics API, and what can be asked of both."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.component.chart.audit import entries_of
from tests.component.kube.wire import eventually
from tests.component.operator.harness import SYSTEM, World
from tests.metrics_api.documented import documented
from tests.metrics_api.manifests import api_service
from tests.metrics_api.server import METRIC, MetricsServer, tls
from tidegate.devcluster import ApiServer
from tidegate.devcluster.certificates import new_authority
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

CONTROLLER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
READS = ("get", "list", "watch")
_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


@dataclass(frozen=True)
class Metrics:
    """A metrics API on this machine."""

    server: MetricsServer
    ca: bytes

    def tell(self, depth: float) -> None:
        """From now on every service's queue is so deep."""
        self.server.values[METRIC] = depth


@contextmanager
def metrics_api(server: ApiServer, folder: Path) -> Iterator[Metrics]:
    """It serves, and takes nobody but the API server."""
    new_authority(folder).server("metrics", "metrics", [f"metrics.{SYSTEM}.svc"])
    proxy_ca = server.plane.state.front_proxy / "ca.crt"
    context = tls(str(folder / "metrics.crt"), str(folder / "metrics.key"), str(proxy_ca))
    serving = MetricsServer(("127.0.0.1", 0), context, lambda *_: 0.0)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Metrics(serving, (folder / "ca.crt").read_bytes())
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


@asynccontextmanager
async def registered(kube: KubeClient, metrics: Metrics) -> AsyncIterator[None]:
    """The API server passes what is asked of external.metrics.k8s.io on to it."""
    leads_here = {"type": "ExternalName", "externalName": "localhost"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "metrics"}, "spec": leads_here}
    await kube.create(paths.services(SYSTEM), service, field_manager="tests")
    manifest = api_service(SYSTEM, "metrics", int(metrics.server.server_address[1]), metrics.ca)
    await kube.create(_API_SERVICES, manifest, field_manager="tests")
    path = f"{_API_SERVICES}/{manifest['metadata']['name']}"

    async def available() -> bool:
        return condition(await kube.get(path), "Available").get("status") == "True"

    try:
        await eventually(available, "the metrics API is available")
        yield
    finally:
        await kube.delete(path)


def condition(item: Json, kind: str) -> Json:
    """One condition of an object, empty before it has it."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    found: Json = next((each for each in conditions if each["type"] == kind), {})
    return found


class Autoscaled:
    """The service qwen of a namespace, and the HorizontalPodAutoscaler that the docs show for it."""

    def __init__(self, world: World, server: ApiServer) -> None:
        self.world = world
        self._server = server
        self._path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
        self.scale = paths.inference_service_scale(world.namespace, "qwen")

    async def autoscale(self, *, down: int = 0) -> None:
        """Make the autoscaler. ``down``: seconds that it waits before it goes down, in the place of five
        minutes."""
        manifest = documented("HorizontalPodAutoscaler", self.world.namespace, "qwen")
        manifest["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = down
        await self.world.kube.create(self._path, manifest, field_manager="tests")

    async def condition(self, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of one of its conditions."""
        found = condition(await self.world.kube.get(f"{self._path}/qwen"), kind)
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    async def says(self, kind: str, status: str, reason: str) -> None:
        """Returns when it says so."""

        async def said() -> bool:
            return (await self.condition(kind))[:2] == (status, reason)

        await eventually(said, f"{kind} is {status}, {reason}")

    async def workers(self, count: int) -> None:
        """Returns when the Deployment is told to run so many."""

        async def told() -> bool:
            return await self.world.replicas("qwen") == count

        await eventually(told, f"{count} workers are wanted")

    async def looks(self, count: int = 5) -> None:
        """Returns when the controller has looked so many times more."""
        before = self._looks()
        await eventually(lambda: self._looks() >= before + count, f"{count} looks more")

    def _looks(self) -> int:
        return sum(1 for each in self._requests() if each["verb"] == "get" and _by_the_controller(each))

    def writes(self) -> list[tuple[str, str, int]]:
        """Who wrote what of the service and its Deployment, and how it ended; without statuses, which follow
        what pods tell of themselves in their own time."""
        return [
            (_writer(each), _written(each["objectRef"]), each["responseStatus"]["code"])
            for each in self._requests()
            if each["verb"] not in READS and each["objectRef"].get("subresource") != "status"
        ]

    async def warnings(self) -> list[str]:
        """The Events that tell of the autoscaler that something is wrong."""
        items, _ = await self.world.kube.list_all(f"/api/v1/namespaces/{self.world.namespace}/events")
        ours = (each for each in items if each["involvedObject"]["kind"] == "HorizontalPodAutoscaler")
        return [f"{each['reason']}: {each['message']}" for each in ours if each["type"] == "Warning"]

    def _requests(self) -> list[dict[str, Any]]:
        """About the service or its Deployment."""
        return [
            each
            for each in entries_of(self._server.audit_log)
            if (reference := each.get("objectRef") or {}).get("namespace") == self.world.namespace
            and reference.get("resource") in ("inferenceservices", "deployments")
            and reference.get("name") in ("qwen", "qwen-worker")
        ]


def _by_the_controller(entry: Json) -> bool:
    return bool(entry["user"]["username"] == CONTROLLER)


def _writer(entry: Json) -> str:
    """The account, or for the parts that share the administrator's the name that they write under."""
    manager = str(entry["requestURI"]).partition("fieldManager=")[2].partition("&")[0]
    return "autoscaler" if _by_the_controller(entry) else manager


def _written(reference: Json) -> str:
    return "/".join(filter(None, [reference["resource"], reference.get("subresource")]))
