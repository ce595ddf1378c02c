"""What an operator costs that has nothing to do: 1,000 and 5,000 idle InferenceServices, two replicas.

A real API server, and a proxy before it for each replica, which counts every write. CPU time is the kernel's
account of the operator's processes alone. Everything is listed once a minute here, three times as often as
by default, so that each minute at rest has a listing in it. The services are made by an operator of its own
that speaks to the API server directly and has more passes at once, because that is over sooner.

    python benchmarks/bench_operator.py [SERVICES ...]
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import yaml

from harness.report import ROOT, Findings, Goal, Measure, machine, plain, rows, write_results
from tests.component.kube.objects import service_manifest
from tests.component.kube.wire import eventually
from tests.component.operator.harness import SYSTEM, Operator, api_proxy, running_operator, stop
from tidegate.devcluster import ApiServer, api_server
from tidegate.devcluster.apiclient import admin_client, apply
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

REST = 60.0  # seconds
RESYNC = 60.0
LONG = 1800.0
AT_ONCE = 8
PASSES = 8
NAMESPACE = "bench"


async def main(counts: list[int]) -> None:
    """Measure all counts, one after the other, each on a fresh API server."""
    about, findings = machine(), Findings()
    for count in counts:
        findings.add(await measured(count))
    print(plain(rows(findings.measures, ["tidegate"])))
    print(f"\n{write_results('operator', about, findings)}")


async def measured(count: int) -> Findings:
    """Everything about so many services."""
    with api_server() as server, tempfile.TemporaryDirectory() as folder:
        with admin_client(server.plane.state.pki, server.url) as admin:
            for crd in crds():
                apply(admin, crd)
        os.environ["KUBECONFIG"] = str(server.kubeconfig)
        async with await KubeClient.connect() as kube:
            await namespaces(kube)
            return await Scenario(server, kube, Path(folder), count).run()


def crds() -> list[Json]:
    """What the API server must know."""
    return [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]


async def namespaces(kube: KubeClient) -> None:
    """The installation's, and one for the services."""
    for name in (SYSTEM, NAMESPACE):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await kube.create("/api/v1/namespaces", body, field_manager="bench")


class Scenario:
    """The same operators from the first service to the last figure."""

    def __init__(self, server: ApiServer, kube: KubeClient, folder: Path, count: int) -> None:
        self.server, self.kube, self.folder, self.count = server, kube, folder, count
        self.findings = Findings()

    async def run(self) -> Findings:
        """The services are made and idle; then two replicas rest, one is restarted, and takes over."""
        settings = {"resync_seconds": LONG, "workers": PASSES}
        async with (
            api_proxy(self.server) as unused,
            running_operator(unused, self.folder, LONG, self.server.kubeconfig, **settings) as maker,
        ):
            await self.populate(maker)
        async with self.operator() as first:
            await eventually(lambda: leads(first), "one leads", seconds=LONG)
            async with self.operator() as second:
                await self.rest(first, second)
                await self.restart(first, second)
        return self.findings

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Operator]:
        """One replica; how long until it is ready counts from its start."""
        begun = time.perf_counter()
        async with (
            api_proxy(self.server) as proxy,
            running_operator(proxy, self.folder, seconds=LONG, resync_seconds=RESYNC) as operator,
        ):
            self.ready = time.perf_counter() - begun
            yield operator

    async def populate(self, maker: Operator) -> None:
        """Returns when all services are Idle."""
        begun, gate = time.perf_counter(), asyncio.Semaphore(AT_ONCE)

        async def make(number: int) -> None:
            async with gate:
                manifest = service_manifest(NAMESPACE, f"s{number}")
                path = paths.inference_services(NAMESPACE)
                await self.kube.create(path, manifest, field_manager="bench")

        await asyncio.gather(*(make(number) for number in range(self.count)))
        await eventually(lambda: self.all_idle(maker), "all services are Idle", seconds=LONG)
        self.note("making", "made and Idle, without a proxy", "s", time.perf_counter() - begun)

    async def all_idle(self, maker: Operator) -> bool:
        """Asked every second; a listing of all costs so much that it is made when nobody waits any more."""
        await asyncio.sleep(1)
        if "tidegate_reconcile_queue_length 0.0" not in await maker.metrics():
            return False
        items, _ = await self.kube.list_all(paths.inference_services(NAMESPACE))
        return all((item.get("status") or {}).get("phase") == "Idle" for item in items)

    async def rest(self, leader: Operator, standby: Operator) -> None:
        """What a minute costs in which nothing happens."""
        passes = partial(has_passed, leader, self.count)
        await eventually(passes, "the first pass over all", seconds=LONG)
        await asyncio.sleep(5 + self.count / 1000)  # the listings after the start are over
        self.note("ready", "a replica's start until it is ready", "s", self.ready)
        before = [(len(each.writes), cpu(each)) for each in (leader, standby)]
        await asyncio.sleep(REST)
        writes = len(leader.writes) + len(standby.writes) - before[0][0] - before[1][0]
        self.note("rest_writes", "writes a minute besides the Lease, both replicas", "writes", writes, 0)
        for name, each, (_, cpu_before) in zip(("leader", "standby"), (leader, standby), before, strict=True):
            self.note(f"rest_cpu_{name}", f"CPU a minute at rest, {name}", "s", cpu(each) - cpu_before)
            self.note(f"memory_{name}", f"memory, {name}", "MiB", memory(each))

    async def restart(self, leader: Operator, standby: Operator) -> None:
        """The leader ends; the standby leads and looks at everything once."""
        writes, cpu_before, passes = len(standby.writes), cpu(standby), await passed(standby)
        await stop(leader)
        ended = time.perf_counter()
        await eventually(lambda: has_passed(standby, passes + self.count), "a pass over all", seconds=LONG)
        wall = time.perf_counter() - ended
        self.note("pass_wall", "the leader's end until the other one has looked at all", "s", wall)
        self.note("pass_cpu", "a pass over all services, CPU", "s", cpu(standby) - cpu_before)
        self.note("memory_passed", "memory after that pass", "MiB", memory(standby))
        async with self.operator() as again:
            await again.settled(5.0)
            after = len(standby.writes) - writes + len(again.writes)
            self.note("restart_writes", "writes after a takeover and a restart", "writes", after, 0)

    def note(self, name: str, text: str, unit: str, value: float, goal: float | None = None) -> None:
        """One figure."""
        limit = None if goal is None else Goal(goal)
        text = f"{self.count:,}: {text}"
        self.findings.measures.append(Measure(f"{self.count}_{name}", text, unit, {"tidegate": value}, limit))
        print(f"{text}: {value:.2f} {unit}", flush=True)


async def leads(operator: Operator) -> bool:
    """Whether it says so."""
    return "tidegate_leader 1.0" in await operator.metrics()


async def passed(operator: Operator) -> float:
    """How many passes it has made."""
    counts = re.findall(
        r"^tidegate_reconcile_seconds_count\S* (\S+)$", await operator.metrics(), re.MULTILINE
    )
    return sum(map(float, counts))


async def has_passed(operator: Operator, times: float) -> bool:
    """Asked every tenth of a second."""
    await asyncio.sleep(0.1)
    return await passed(operator) >= times


def cpu(operator: Operator) -> float:
    """Seconds of CPU so far, user and system."""
    fields = Path(f"/proc/{operator.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(operator: Operator) -> float:
    """MiB that are resident."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    asyncio.run(main([int(each) for each in sys.argv[1:]] or [1000, 5000]))
