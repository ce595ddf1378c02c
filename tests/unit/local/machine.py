"""A machine that is played in virtual time: a supervisor, its pods and its gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.unit.local.fake_gateway import FakeGateway, FakeService
from tests.unit.local.fake_pods import FakePods
from tests.unit.local.services import KEY, build
from tidegate.domain.loose import Json
from tidegate.local.supervision.supervisor import Supervisor, SupervisorSettings

EPOCH = 1_700_000_000.0  # the Unix time at which a test's clock begins


T = TypeVar("T")


async def at_once(work: Callable[[], T], /) -> T:
    """A thread would take its time, which a virtual clock does not wait for."""
    return work()


class Machine:
    """A supervisor, its pods and its gateway; all of one virtual clock."""

    def __init__(self, folder: Path, *documents: Any, cores: int = 4, **settings: Any) -> None:
        self.folder = folder
        self.file = folder / "services.yaml"
        self.write(*documents)
        self.pods = FakePods(self.now, cores)
        self.settings = settings
        self.on_asked: Callable[[], None] = lambda: None  # a worker tells its counters
        self.told: list[tuple[Json, Json]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        try:
            return EPOCH + asyncio.get_running_loop().time()
        except RuntimeError:
            return EPOCH

    def write(self, *documents: Any) -> None:
        """The manifest's file, whole."""
        nothing = {"apiVersion": "v1", "kind": "List", "items": []}
        self.file.write_text(yaml.safe_dump_all(documents or [nothing]), encoding="utf-8")

    async def __aenter__(self) -> Machine:
        await self.begin()
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def begin(self) -> None:
        """A supervisor begins; workers that are there are a predecessor's."""
        self.gateway = FakeGateway(self.now)
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        given: dict[str, Any] = {
            "manifests": [self.file],
            "build": build,
            "jitter": lambda low, _: low,
            "told": lambda before, after: self.told.append((before, after)),
            "state": self.folder / "state",
            "demand": self.gateway.feed.subscribe,
            "http": http,
            "busy": self.gateway.busy,
            "now": self.now,
            "aside": at_once,
        }
        self.supervisor = Supervisor(SupervisorSettings(**given | self.settings), self.pods)
        self.pods.changed = self.supervisor.changed
        self.pods.busy, self.pods.on_crash = self.gateway.in_worker, self.gateway.lost
        self.gateway.attach(self.supervisor)
        await self.supervisor.check()
        self.tasks = [
            asyncio.create_task(self.supervisor.watch(self.gateway)),
            asyncio.create_task(self.supervisor.run()),
        ]

    async def end(self) -> None:
        """The supervisor ends; its workers go on."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.gateway.waker.close()

    def _answer(self, request: httpx.Request) -> httpx.Response:
        found = [pod for pod in self.pods.pods.values() if pod.host == request.url.host]
        if request.url.path != "/metrics" or not found or found[0].state != "ready":
            return httpx.Response(404)
        running = self.gateway.in_worker(found[0].uid)
        self.on_asked()
        return httpx.Response(200, text=f"vllm:num_requests_running {running}\nvllm:num_requests_waiting 0\n")

    # -- what is asserted about

    @property
    def status(self) -> Mapping[str, Any]:
        """Of the one service; empty where there is none."""
        shown = [each for each in self.supervisor.shown() if each.service["metadata"]["name"] == KEY.name]
        return shown[0].service.get("status") or {} if shown else {}

    @property
    def service(self) -> FakeService:
        return self.gateway.services[KEY]

    def reason(self, kind: str = "Ready") -> str:
        """Of one of its conditions."""
        return next((each["reason"] for each in self.status["conditions"] if each["type"] == kind), "")

    async def awake(self) -> None:
        """A request has come, and a worker serves it."""
        self.gateway.arrive()
        await asyncio.sleep(self.pods.start_seconds + 1)
        assert self.status["phase"] == "Running", self.status
