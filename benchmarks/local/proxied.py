"""What a request costs through `tidegate up`, beside the gateway alone over the same worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness.load import Ground
from harness.plan import Plan, timed_then_counted
from harness.processes import Cores, cpu_seconds, free_ports, listening, running, wait_for
from harness.proxies import Proxy, gateway_status
from harness.report import Findings, Goal, Measure, medians
from harness.request_scenarios import instructions, request_round
from local.activation import UP
from tests.component.local import manifests
from tests.component.local.manifests import Json, service
from tests.component.local.place import Place
from tests.component.local.up import Up
from tidegate.resources.names import ENDPOINTS_ANNOTATION, WORKER_PORT

NAME, GATEWAY = "requests", "gateway"
LIMIT = 1.05
IDLE_SECONDS = 10.0
_SERVER = Path(__file__).with_name("fixed_answer.py")


def answering(folder: Path) -> Json:
    """A service whose worker answers at once, on a core of its own."""
    command = shlex.join([sys.executable, str(_SERVER), str(folder / "worker")])
    engine, queue = {"maxConcurrency": 4096}, {"maxDepth": 2000}
    scaling = {"minReplicas": 1}
    return service(
        NAME, command=command, engine=engine, queue=queue, scaling=scaling, cpuIsolation="Preferred"
    )


async def proxied(here: Place, up: Up, plan: Plan) -> Findings:
    """Rounds in turns, `up` and the gateway on one core, before the same worker, which shares its core with
    the load."""
    await up.answered(NAME)
    [pod] = await up.pods(NAME)
    ground = Ground(here.folder, _cores(pod), 0, 0)
    for thread in _threads(up.process.pid):
        os.sched_setaffinity(thread, {ground.cores.proxy})
    one = Proxy(UP, up.process.pid, up.port, up.port, up.port)
    with _gateway(ground, f"{pod['status']['podIP']}:{WORKER_PORT}") as other:
        measure = partial(request_round, ground, plan.seconds)
        rounds = await asyncio.to_thread(timed_then_counted, plan, (one, other), measure)
    measures = [
        Measure(
            *("cpu_per_request", "CPU a chat request of 2.5 KB, 64 connections", "µs"),
            medians(rounds, "request", "cpu_us"),
            Goal(LIMIT, GATEWAY, UP),
        ),
        *instructions("request", "a chat request", rounds),
    ]
    return Findings([measure for measure in measures if measure.values], rounds)


async def idle(up: Up) -> Findings:
    """CPU of an `up` that nobody asks anything, with one worker that is ready."""
    before = cpu_seconds(up.process.pid)
    await asyncio.sleep(IDLE_SECONDS)
    used = (cpu_seconds(up.process.pid) - before) / IDLE_SECONDS * 1e3
    return Findings([Measure("idle_cpu", "CPU of an up that nobody asks", "ms/s", {UP: used})])


def _cores(pod: Json) -> Cores:
    """The worker's core, and another one for what stands before it. SystemExit where there is none."""
    worker = int(pod["metadata"]["annotations"]["tidegate.io/cores"])
    others = sorted(os.sched_getaffinity(0) - {worker})
    if not others:
        raise SystemExit("bench: it needs two cores: one for the proxies, one for load and worker")
    return Cores(others[0], worker, others[0])


def _threads(pid: int) -> list[int]:
    return [int(folder.name) for folder in Path(f"/proc/{pid}/task").iterdir()]


@contextlib.contextmanager
def _gateway(ground: Ground, address: str) -> Iterator[Proxy]:
    folder, (port, admin) = ground.subfolder("gateway"), free_ports(2)
    document = answering(folder)
    document["metadata"]["annotations"] = {ENDPOINTS_ANNOTATION: address}
    manifests.write(folder / "services.yaml", document)
    words = ("gateway", "--file", str(folder / "services.yaml"))
    listen = ("--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin}")
    command = (sys.executable, "-m", "tidegate.cli", "--log-level", "ERROR", *words, *listen)
    with (folder / "log").open("wb") as log, running(ground.cores.proxy, *command, stdout=log) as process:
        wait_for("the gateway listens", lambda: listening(port) and listening(admin))
        wait_for("it reaches the worker", lambda: bool(gateway_status(admin)[NAME]["endpoints"]))
        yield Proxy(GATEWAY, process.pid, port, port, port, admin)
