"""One namespace with services that sleep, and for each of them the same pod without tidegate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e.services import simulated
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.resources.names import SERVICE_LABEL, worker_deployment
from wake.asking import answers, ask
from wake.pods import BUDGET, PodWatch, watched

MANAGER = "bench"
BARE_LABEL = "bench-wake"
REST = 0.5  # seconds at least after everything is gone, so that kubelet and containerd have done with it
KUBELET_PERIOD, KUBELET_PHASE = 1.0, 0.75  # seconds; see Field.rest
ASK_STATUS = 0.1  # seconds between two looks at a status


@dataclass(frozen=True)
class Wake:
    """Seconds from the request, or from the write of the scale, until the address was known and the answer
    began."""

    address: float
    answer: float
    status: int = 200


@dataclass(frozen=True)
class Field:
    """Wakes services and bare pods, and puts them to sleep again."""

    kube: KubeClient
    namespace: str
    gateway: str  # its address
    pods: PodWatch

    async def create(self, name: str, changes: Json | None = None, **environment: str) -> None:
        """A service that sleeps and will not go to sleep by itself, and its bare twin at zero."""
        manifest = simulated(name, self.namespace, ENGINE_TOKENS_PER_SECOND="0", **environment)
        spec: Json = manifest["spec"]
        spec["scaling"] |= {"idleTimeoutSeconds": 600, "coldStartTimeoutSeconds": 120}
        for part, values in (changes or {}).items():
            spec[part] = {**spec[part], **values} if isinstance(values, dict) and part in spec else values
        await self.kube.create(paths.inference_services(self.namespace), manifest, field_manager=MANAGER)
        await self._idle(name)

    async def create_bare(self, name: str) -> None:
        """A Deployment at zero whose pods are those of the service's workers but for tidegate's labels."""
        worker = await self.kube.get(paths.deployment(self.namespace, worker_deployment(name)))
        manifest = bare_deployment(worker, name)
        await self.kube.create(paths.deployments(self.namespace), manifest, field_manager=MANAGER)

    async def wake(self, name: str) -> Wake:
        """A request to a service at zero."""
        begun = time.perf_counter()
        seen = asyncio.create_task(self._known(SERVICE_LABEL, name))
        try:
            answer = await ask(self.gateway, self.namespace, name)
            return Wake(await seen - begun, answer.first_byte - begun, answer.status)
        finally:
            seen.cancel()

    async def wake_bare(self, name: str, every: float) -> Wake:
        """The scale of the bare Deployment, 0 to 1, and probes of its pod as soon as it has an address."""
        begun = time.perf_counter()
        written = asyncio.create_task(self._scale(bare_name(name), 1))
        host = await self.pods.address(BARE_LABEL, name)
        known = time.perf_counter()
        answered = await answers(host, every)
        await written
        return Wake(known - begun, answered - begun)

    async def _known(self, label: str, name: str) -> float:
        await self.pods.address(label, name)
        return time.perf_counter()

    async def asleep(self, names: Sequence[str], bare: Sequence[str] = ()) -> None:
        """Everything is at zero, every pod is gone, and the machine has had a moment of rest.

        The workers are scaled down by hand: the operator, which does the same when they are idle for long
        enough, leaves a service without requests where it is.
        """
        deployments = [*map(worker_deployment, names), *map(bare_name, bare)]
        await asyncio.gather(*(self._scale(deployment, 0) for deployment in deployments))
        await self.pods.gone()
        await asyncio.gather(*map(self._idle, names))
        await self.rest()

    async def rest(self) -> None:
        """Returns at the same moment of the kubelet's second, whoever is next.

        The kubelet looks at its containers once a second: it is then that the end of a pod is told, and the
        address of one that was started since. A container that starts right before or right after a look
        has its address a second apart, for no reason of ours or of the bare pod's. The last pod's end tells
        when a look was; from 0.75 s after that the next container starts between two looks.
        """
        since = time.perf_counter() + REST - self.pods.last_gone
        await asyncio.sleep(REST + (KUBELET_PHASE - since) % KUBELET_PERIOD)

    async def _scale(self, deployment: str, replicas: int) -> None:
        path = paths.deployment_scale(self.namespace, deployment)
        await self.kube.merge_patch(path, {"spec": {"replicas": replicas}}, field_manager=MANAGER)

    async def _idle(self, name: str) -> None:
        async with asyncio.timeout(BUDGET):
            while not await self._is_idle(name):  # noqa: ASYNC110 - a status that only asking tells
                await asyncio.sleep(ASK_STATUS)

    async def _is_idle(self, name: str) -> bool:
        service = await self.kube.get(paths.inference_service(self.namespace, name))
        status: Json = service.get("status", {})
        current = status.get("observedGeneration") == service["metadata"]["generation"]
        return current and status.get("phase") == "Idle"


def bare_name(service: str) -> str:
    """The bare Deployment of a service."""
    return f"{service}-bare"


def bare_deployment(worker: Json, service: str) -> Json:
    """The worker's Deployment under another name: its very pod template, without tidegate's labels."""
    labels = {BARE_LABEL: service}
    template = {"metadata": {"labels": labels}, "spec": worker["spec"]["template"]["spec"]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "strategy": worker["spec"]["strategy"],
        "template": template,
    }
    metadata = {"name": bare_name(service), "namespace": worker["metadata"]["namespace"]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@asynccontextmanager
async def field(kube: KubeClient, namespace: str, gateway: str) -> AsyncIterator[Field]:
    """A namespace under the restricted Pod Security Standard, deleted at the end of the block."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": labels},
    }
    await kube.create(paths.NAMESPACES, body, field_manager=MANAGER)
    try:
        async with watched(kube, namespace) as pods:
            try:
                yield Field(kube, namespace, gateway, pods)
            finally:
                await kube.delete(paths.namespace(namespace))
                await pods.gone()
    finally:
        async with asyncio.timeout(BUDGET):
            while await _exists(kube, namespace):  # noqa: ASYNC110 - nobody tells but who is asked
                await asyncio.sleep(ASK_STATUS)


async def _exists(kube: KubeClient, namespace: str) -> bool:
    items, _ = await kube.list_all(paths.NAMESPACES, field_selector=f"metadata.name={namespace}")
    return bool(items)
