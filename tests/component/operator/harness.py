"""An operator before a real API server, a gateway and workers that are played, and what tests ask of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import yaml
from aiohttp import web

from tests.component.kube.objects import MANAGER, set_pod_status
from tests.component.kube.wire import eventually
from tests.component.operator.proxy import ApiProxy, Write
from tests.unit.controller.streams import FakeGateway, fake_gateway, serving
from tidegate.devcluster import ApiServer
from tidegate.devcluster.ports import free_ports
from tidegate.domain.timestamps import to_timestamp
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import AlreadyExistsError, NotFoundError

SYSTEM = "tidegate-system"
STALL = 1.0  # seconds; a look at operator and API server takes some 10 ms, on a machine that is busy 200
LOOKS = 600  # a minute of looks
END_SECONDS = 25.0  # the kubelet kills after 30; an operator ends within 2
SILENCE = 60.0  # seconds after which a part of the test is given up that does not answer


@dataclass
class Operator:
    """A running operator, and the proxy through which it speaks."""

    proxy: ApiProxy
    process: asyncio.subprocess.Process
    metrics_url: str
    health_url: str
    log: Path

    @property
    def writes(self) -> list[Write]:
        """Every write that it has sent, refused ones included, but those of the Lease."""
        return self.proxy.writes

    async def settled(self, seconds: float = 2.0) -> None:
        """Returns when it has written nothing for so long, in looks at which it and the API server answered.

        A look that takes longer than ``STALL`` says that one of the three stood still, and what it has to do
        is yet to come: the quiet begins anew, ``LOOKS`` times at most.
        """
        pause, left, before = 0.1, LOOKS, -1
        quiet = 0.0
        while quiet < seconds and left:
            begun, left = time.monotonic(), left - 1
            await asyncio.sleep(pause)
            await self._answers()
            if before != len(self.writes) or time.monotonic() - begun > STALL:
                before, quiet = len(self.writes), 0.0
            else:
                quiet += pause

    async def _answers(self) -> None:
        """Returns when the operator and the API server behind its proxy have answered; not where it is cut
        off or ended."""
        with suppress(httpx.HTTPError):
            await self.metrics()
        url = f"{self.proxy.server.url}/readyz"
        async with self.proxy.session.get(url) as answer:
            await answer.read()

    async def metrics(self) -> str:
        """What its metrics say."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.get(self.metrics_url, timeout=SILENCE)).text


@asynccontextmanager
async def api_proxy(server: ApiServer) -> AsyncIterator[ApiProxy]:
    """A proxy before the API server, with watches that work."""
    tls = ssl.create_default_context(cafile=str(server.plane.state.pki / "ca.crt"))
    tls.load_cert_chain(server.plane.state.pki / "admin.crt", server.plane.state.pki / "admin.key")
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=True) as session:
        proxy = ApiProxy(server, session)
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        proxy.port = runner.addresses[0][1]
        try:
            yield proxy
        finally:
            await proxy.end()
            await runner.cleanup()


@asynccontextmanager
async def running_operator(
    proxy: ApiProxy, folder: Path, seconds: float = 90.0, kubeconfig: Path | None = None, **settings: Any
) -> AsyncIterator[Operator]:
    """An operator that is ready within ``seconds``, ended by SIGTERM at the end of the block.

    ``kubeconfig``: to go round the proxy."""
    kubeconfig = kubeconfig or _kubeconfig(folder, proxy.port)
    metrics, health = free_ports(2)
    given = {"namespace": SYSTEM, "host": "127.0.0.1", "metrics_port": metrics, "health_port": health}
    environment = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
    log = folder / f"operator-{uuid.uuid4().hex[:6]}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.component.operator.run_operator", json.dumps(given | settings)),
            env=environment | {"KUBECONFIG": str(kubeconfig)},
            stdout=output,
            stderr=output,
        )
    health_url = f"http://127.0.0.1:{health}/readyz"
    operator = Operator(proxy, process, f"http://127.0.0.1:{metrics}/metrics", health_url, log)
    try:
        await eventually(lambda: _ready(operator), f"the operator is ready, see {log}", seconds=seconds)
        yield operator
    finally:
        await stop(operator)


async def stop(operator: Operator) -> None:
    """SIGTERM, and what it says at its end if it does not obey."""
    process = operator.process
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise AssertionError(f"the operator does not end:\n{operator.log.read_text()[-3000:]}") from None


async def _ready(operator: Operator) -> bool:
    assert operator.process.returncode is None, operator.log.read_text()[-3000:]
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return (await client.get(operator.health_url, timeout=SILENCE)).status_code == 200
    except httpx.HTTPError:
        return False


def _kubeconfig(folder: Path, port: int) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = folder / f"{uuid.uuid4().hex[:6]}.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


class World:
    """One namespace, and the hands of everybody but the operator in it."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.kube = kube
        self.namespace = namespace
        self._nodes: set[str] = set()

    async def leave(self) -> None:
        """Delete what an operator of another test would look after: services first, then what they own."""
        collections = (
            paths.inference_services(self.namespace),
            paths.deployments(self.namespace),
            paths.services(self.namespace),
            paths.pod_disruption_budgets(self.namespace),
        )
        for path in (*collections, *(paths.node(name) for name in self._nodes)):
            with suppress(NotFoundError):
                await self.kube.delete(path)

    async def create(self, name: str, **spec: Any) -> Json:
        """An InferenceService with one core, without isolation's preferences in its way."""
        least = {"model": {"uri": "hf://a/b"}, "resources": {"cpu": 1, "memory": "1Gi"}}
        manifest = {
            "apiVersion": "tidegate.io/v1alpha1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": least | spec,
        }
        path = paths.inference_services(self.namespace)
        return await self.kube.create(path, manifest, field_manager=MANAGER)

    async def idle(self, name: str, **spec: Any) -> None:
        """The same, returned when it is Idle."""
        await self.create(name, **spec)
        await self.phase(name, "Idle")

    async def get(self, name: str) -> Json:
        """The service."""
        return await self.kube.get(paths.inference_service(self.namespace, name))

    async def deployment(self, name: str) -> Json:
        """The service's worker Deployment."""
        return await self.kube.get(paths.deployment(self.namespace, f"{name}-worker"))

    async def replicas(self, name: str) -> int:
        """How many workers the Deployment is told to run."""
        return int((await self.deployment(name))["spec"]["replicas"])

    async def change(self, name: str, **spec: Any) -> None:
        """A user's change of the spec."""
        path = paths.inference_service(self.namespace, name)
        await self.kube.merge_patch(path, {"spec": spec}, field_manager=MANAGER)

    async def scale(self, name: str, replicas: int) -> None:
        """What the gateway does when it wakes."""
        path = paths.deployment_scale(self.namespace, f"{name}-worker")
        await self.kube.merge_patch(path, {"spec": {"replicas": replicas}}, field_manager="tidegate-gateway")

    async def pod(self, name: str, pod: str, status: Json, node: str | None = None) -> None:
        """What ReplicaSet controller, scheduler and kubelet do."""
        template = (await self.deployment(name))["spec"]["template"]
        body = {"apiVersion": "v1", "kind": "Pod", **template}
        body["metadata"] = {**template["metadata"], "name": pod, "namespace": self.namespace}
        with suppress(AlreadyExistsError):  # then only its status is new
            await self.kube.create(paths.pods(self.namespace), body, field_manager="replicaset-controller")
        if node:
            await self.kube.create(
                f"{paths.pod(self.namespace, pod)}/binding",
                {"metadata": {"name": pod}, "target": {"kind": "Node", "name": node}},
                field_manager="scheduler",
            )
        await set_pod_status(self.kube, self.namespace, pod, status)

    async def node(self, name: str, policy: str) -> None:
        """A node with this label, on which any worker fits."""
        self._nodes.add(name)
        labels = {"tidegate.io/cpu-manager-policy": policy}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        await self.kube.apply(paths.node(name), body, field_manager=MANAGER)
        room = {"status": {"allocatable": {"cpu": "64", "memory": "512Gi"}}}
        await self.kube.merge_patch(f"{paths.node(name)}/status", room, field_manager=MANAGER)

    async def delete_pod(self, pod: str) -> None:
        """The pod is gone; without a node that is at once."""
        await self.kube.delete(paths.pod(self.namespace, pod))

    async def phase(self, name: str, phase: str) -> None:
        """Returns when the service is in the phase."""

        async def reached() -> bool:
            return str((await self.get(name)).get("status", {}).get("phase")) == phase

        await eventually(reached, f"{name} is {phase}")

    async def condition(self, name: str, kind: str = "Ready") -> Json:
        """One condition of the service."""
        conditions = (await self.get(name))["status"]["conditions"]
        found: Json = next(each for each in conditions if each["type"] == kind)
        return found


def ready_status(since: float, address: str = "127.0.0.1") -> Json:
    """A pod that is Ready since then."""
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Ready", "status": "True", "lastTransitionTime": to_timestamp(since)},
    ]
    engine = {
        "name": "engine",
        "ready": True,
        "restartCount": 0,
        "image": "i",
        "imageID": "",
        "state": {"running": {}},
    }
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": conditions,
        "containerStatuses": [engine],
    }


def rejected_status(reason: str = "UnexpectedAdmissionError") -> Json:
    """A pod that its kubelet did not let begin."""
    return {"phase": "Failed", "reason": reason, "message": "Pod was rejected: not enough cpus available"}


def failed_status(message: str) -> Json:
    """A pod whose engine has ended and is about to be started again."""
    ended = {"exitCode": 1, "reason": "Error", "message": message}
    engine = {
        "name": "engine",
        "ready": False,
        "restartCount": 2,
        "image": "i",
        "imageID": "",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": ended},
    }
    return {"phase": "Running", "containerStatuses": [engine]}


class FakeWorker:
    """A worker's /metrics, /isolation and /start, on one port."""

    def __init__(self) -> None:
        self.running = 0
        self.asked = 0
        self.answers = asyncio.Event()  # while it is not set, nobody is told the counters
        self.answers.set()
        self.evidence: Json = {"containerCpus": "1", "nodeCpus": "0-3", "throttledPeriods": 0}
        self.grows: dict[str, int] = {}  # by how much these figures of it grow with each look
        self.start: Json = {}  # empty: it does not tell

    async def started(self, _: web.Request) -> web.Response:
        """GET /start."""
        return web.json_response(self.start, status=200 if self.start else 404)

    async def isolation(self, _: web.Request) -> web.Response:
        """GET /isolation."""
        self.evidence |= {name: self.evidence.get(name, 0) + by for name, by in self.grows.items()}
        return web.json_response(self.evidence)

    async def metrics(self, _: web.Request) -> web.Response:
        """GET /metrics."""
        self.asked += 1
        await self.answers.wait()
        text = f"vllm:num_requests_running {self.running}\nvllm:num_requests_waiting 0\n"
        return web.Response(text=text)


@asynccontextmanager
async def played_parts(kube: KubeClient) -> AsyncIterator[tuple[FakeGateway, FakeWorker, Json]]:
    """One gateway that serves, workers' counters, and the settings by which the operator finds them."""
    worker = FakeWorker()
    routes = {"/metrics": worker.metrics, "/isolation": worker.isolation, "/start": worker.started}
    async with fake_gateway() as gateway, serving(routes) as port:
        await gateway_pod(kube)
        settings = {"gateway_admin_port": gateway.port, "worker_port": port, "isolation_port": port}
        yield gateway, worker, settings


async def gateway_pod(kube: KubeClient) -> None:
    """A gateway's pod at 127.0.0.1, Ready."""
    namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}
    labels = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": "gateway"}
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gateway", "labels": labels},
        "spec": {"containers": [{"name": "gateway", "image": "none"}]},
    }
    for path, body in (("/api/v1/namespaces", namespace), (paths.pods(SYSTEM), pod)):
        try:
            await kube.create(path, body, field_manager=MANAGER)
        except AlreadyExistsError:
            continue
    await set_pod_status(kube, SYSTEM, "gateway", ready_status(0.0))
