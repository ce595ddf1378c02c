"""A Node with real processes, for tests: opened, run, and ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.ports import free_ports
from tests.unit.local.templates import KEY, template
from tidegate.domain.core_list import Cores
from tidegate.domain.loose import Json
from tidegate.domain.workers import WorkerFacts, worker_facts
from tidegate.local.machine.node import Node
from tidegate.local.machine.node_settings import NodeSettings
from tidegate.local.machine.placing import Machine
from tidegate.local.processes.table import everybody, mark_of
from tidegate.local.worker.template import WorkerTemplate

ENGINE = Path(__file__).parents[2] / "engine_sim/engine.py"
PATIENCE = 60.0  # seconds for one effect, on a machine that stands still
PLENTY = 64 * 1024**3


async def until(holds: Callable[[], Any]) -> Any:
    """What it returns as soon as that is true."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if found := holds():
                return found
            await asyncio.sleep(0.01)


def machine(cores: Cores | None = None) -> Machine:
    """These cores, by default all that tests may use, and memory for whatever they ask."""
    return Machine(cores or frozenset(os.sched_getaffinity(0)), PLENTY)


def engine(**changes: Any) -> WorkerTemplate:
    """A worker that is the simulated engine."""
    command = (sys.executable, str(ENGINE), "--host", "{host}", "--port", "{port}", "--model", "m")
    fields: dict[str, Any] = {"command": command, "exclusive": False, "grace_seconds": 20.0}
    return template(**{**fields, **changes})


def script(text: str, **changes: Any) -> WorkerTemplate:
    """A worker that is a small program in Python."""
    fields: dict[str, Any] = {"exclusive": False, "grace_seconds": 20.0}
    return template(**{**fields, "command": (sys.executable, "-c", text), **changes})


def shell(text: str, **changes: Any) -> WorkerTemplate:
    """A worker that is a line for the shell."""
    fields: dict[str, Any] = {"exclusive": False, "grace_seconds": 20.0}
    return template(**{**fields, "command": ("/bin/sh", "-c", text), **changes})


class Pods:
    """A node that runs, and how a test looks at it."""

    def __init__(self, node: Node, settings: NodeSettings) -> None:
        self.node = node
        self.state = settings.state
        self.port = settings.port
        self.isolation_port = settings.isolation_port

    def all(self) -> list[Json]:
        """The pods of the one service, oldest first."""
        return list(self.node.of(KEY))

    def facts(self) -> list[WorkerFacts]:
        """As the rest of tidegate reads them."""
        return [worker_facts(each, 900.0) for each in self.all()]

    def pid(self, index: int = 0) -> int:
        """Of the first process of one of them; 0 while there is none."""
        pods = self.all()
        return int(pods[index]["metadata"]["annotations"].get("tidegate.io/pid", 0)) if pods else 0

    def container(self, index: int = 0) -> Json:
        """The status of its engine."""
        statuses = self.all()[index]["status"].get("containerStatuses") or [{}]
        return dict(statuses[0])

    def processes(self) -> set[int]:
        """All that run with a mark of this state folder."""
        return processes_of(self.state)

    async def first_line(self, name: str) -> str:
        """Of a pod's output, as soon as it is whole."""
        log = self.node.log("default", name)
        assert log is not None
        text: str = await until(lambda: log.exists() and "\n" in (said := log.read_text()) and said)
        return text.partition("\n")[0]

    async def until_ready(self, index: int = 0) -> int:
        """Waits for it; its process."""
        await until(lambda: len(self.facts()) > index and self.facts()[index].ready)
        return self.pid(index)


def processes_of(state: Path) -> set[int]:
    """The processes that run with a mark of this state folder."""
    if not (file := state / "identity").exists():
        return set()
    mark = f"{file.read_text().strip()}:"
    return {each.pid for each in everybody() if not each.ended and mark_of(each.pid).startswith(mark)}


def alone(state: Path) -> dict[str, str]:
    """An environment in which what other tests' workers have is not known."""
    return {**os.environ, "XDG_RUNTIME_DIR": str(state)}


def ports_of(state: Path) -> tuple[int, int]:
    """Those of the workers of a state folder, whoever looks after them; somebody may have the usual ones."""
    file = state.with_name(f"{state.name}.ports")
    if not file.exists():
        file.write_text(" ".join(map(str, free_ports(2))))
    port, isolation = map(int, file.read_text().split())
    return port, isolation


def end_all(state: Path) -> None:
    """Whatever a test has left, for it fails elsewhere."""
    for pid in processes_of(state):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def opened(state: Path, *, leave: bool = False, **changes: Any) -> AsyncIterator[Pods]:
    """A node over this folder; ``leave``: its workers go on when it is closed."""
    port, isolation = ports_of(state)
    fields: dict[str, Any] = {"machine": machine(), "changed": lambda _: None, "cgroups": False}
    fields |= {"port": port, "isolation_port": isolation, "environment": alone(state)}
    settings = NodeSettings(state=state, **{**fields, **changes})
    node = Node(settings)
    await node.open()
    running = asyncio.create_task(node.run())
    try:
        yield Pods(node, settings)
    finally:
        if not leave:
            await node.end_all(at_once=True)
        running.cancel()
        results = await asyncio.gather(running, return_exceptions=True)
        node.close()
        assert isinstance(results[0], asyncio.CancelledError), results
