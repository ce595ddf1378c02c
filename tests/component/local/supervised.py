"""A supervisor over a Node with real processes, and a real gateway above it, in one process."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.component.local.node_harness import ENGINE, machine, processes_of
from tidegate.domain.service import ServiceKey
from tidegate.gateway.accesslog import AccessLog
from tidegate.gateway.server import Gateway
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.slo import slo_counts
from tidegate.local.machine.node import Node
from tidegate.local.machine.node_settings import NodeSettings
from tidegate.local.supervision.supervisor import Supervisor, SupervisorSettings
from tidegate.local.worker.engines import EngineSettings
from tidegate.local.worker.templates import build
from tidegate.resources.names import COMMAND_ANNOTATION

KEY = ServiceKey("default", "tide")


def simulated(*words: str, **spec: Any) -> dict[str, Any]:
    """A service whose engine is the simulated one, with these arguments of its own."""
    least = {"model": {"uri": "file:///models/tiny"}, "resources": {"cpu": 1, "memory": "64Mi"}}
    return {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {
            "name": "tide",
            "annotations": {COMMAND_ANNOTATION: " ".join((sys.executable, str(ENGINE), *words))},
        },
        "spec": least | spec,
    }


@dataclass
class Stack:
    """All of it, running."""

    folder: Path
    node: Node
    supervisor: Supervisor
    gateway: Gateway
    http: httpx.AsyncClient

    @property
    def status(self) -> dict[str, Any]:
        """Of the one service."""
        return dict(self.supervisor.shown()[0].service.get("status") or {})

    @property
    def pids(self) -> list[int]:
        """The first processes of its workers."""
        noted = (pod["metadata"]["annotations"].get("tidegate.io/pid") for pod in self.node.of(KEY))
        return [int(pid) for pid in noted if pid]

    @property
    def processes(self) -> set[int]:
        """All that run for it."""
        return processes_of(self.folder / "state")

    def reason(self) -> str:
        """Why it is Ready, or not."""
        conditions = self.status.get("conditions") or [{}]
        return next((str(each["reason"]) for each in conditions if each.get("type") == "Ready"), "")

    async def ask(self) -> httpx.Response:
        """One request of a client."""
        url = f"http://127.0.0.1:{self.gateway.port}/v1/completions"
        body = {"model": "tide", "prompt": "high or low?", "max_tokens": 4}
        return await self.http.post(url, json=body, timeout=120)

    def write(self, *documents: Any) -> None:
        """Another manifest."""
        written(self.folder, *documents)


def written(folder: Path, *documents: Any) -> Path:
    """The manifest's file."""
    file = folder / "services.yaml"
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return file


@asynccontextmanager
async def supervised(folder: Path, *documents: Any, leave: bool = False) -> AsyncIterator[Stack]:
    """``leave``: the workers go on when it is over, as after a SIGKILL."""
    file = written(folder, *documents)

    def changed(key: ServiceKey) -> None:
        supervisor.changed(key)

    def demand() -> AsyncIterator[bytes]:
        return gateway.fleet.demand.subscribe()

    def busy(key: ServiceKey) -> bool:
        service = gateway.fleet.services.get(key)
        return service is not None and service.flow.depth > 0

    def counts(key: ServiceKey) -> dict[str, object] | None:
        counted = slo_counts(gateway.traffic, key)
        uptime = time.monotonic() - began
        return None if counted is None else {**counted, "instance": "the only one", "uptimeSeconds": uptime}

    state, began = folder / "state", time.monotonic()
    node = Node(NodeSettings(state=state, changed=changed, machine=machine(), cgroups=False))
    async with httpx.AsyncClient(trust_env=False) as http:
        settings = SupervisorSettings(
            manifests=[file],
            state=state,
            build=partial(build, settings=EngineSettings(folder)),
            demand=demand,
            http=http,
            busy=busy,
            counts=counts,
            poll_seconds=0.05,
        )
        supervisor = Supervisor(settings, node)
        gateway = Gateway(GatewaySettings(listen_port=0, admin_port=0), supervisor, AccessLog(None))
        await node.open()
        await supervisor.check()
        async with gateway:
            tasks = [asyncio.create_task(node.run()), asyncio.create_task(supervisor.run())]
            try:
                yield Stack(folder, node, supervisor, gateway, http)
            finally:
                tasks[1].cancel()
                await asyncio.gather(tasks[1], return_exceptions=True)
                if not leave:
                    await node.end_all(at_once=True)
                tasks[0].cancel()
                await asyncio.gather(tasks[0], return_exceptions=True)
                node.close()
