"""Operator or API server are gone for a while, under load: warm traffic notices nothing.

Some seconds here; ``make campaign-outages`` takes the operator away for ten minutes and the API server for
five, and writes the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import Gateway, tool
from tests.e2e.cycles.client import Client, Sent, client
from tests.e2e.cycles.plan import Phase
from tests.e2e.kubectl import CommandError, Kubectl, eventually
from tests.e2e.outage import operator_down
from tests.e2e.services import Services, simulated
from tests.e2e.small_workers import forget, make_small
from tests.e2e.test_wake_and_sleep import chat
from tidegate.devcluster.layout import state_of

OPERATOR_SECONDS = float(os.environ.get("TIDEGATE_OPERATOR_DOWN_SECONDS", "10"))
API_SECONDS = float(os.environ.get("TIDEGATE_API_SERVER_DOWN_SECONDS", "10"))
RESULTS = os.environ.get("TIDEGATE_OUTAGES_RESULTS", "")  # where the figures are written; empty: nowhere
API_SERVER = "node-1.kube-apiserver"
CLIENTS = 4  # that send one request after the other, every second one a stream
SHORT_BUDGET = 5  # seconds that the sleeping service holds a request while nobody can wake it


@pytest.fixture
def small(kubectl: Kubectl, namespace: str) -> Iterator[bool]:
    """Whether several workers fit."""
    try:
        yield make_small(kubectl, namespace)
    finally:
        forget(kubectl, namespace)


def make(services: Services, name: str, **scaling: int) -> None:
    """A small service that is Idle; ``scaling`` sets its timeouts."""
    manifest = simulated(name, services.namespace)
    manifest["spec"] |= {"cpuIsolation": "None", "resources": {"cpu": 1, "memory": "96Mi"}}
    manifest["spec"]["scaling"] |= scaling
    services.apply(manifest)
    services.wait_phase(name, "Idle", seconds=120)


@contextmanager
def api_server_down() -> Iterator[None]:
    """The embedded cluster without its API server."""
    tool("stop", API_SERVER, timeout=200)
    try:
        yield
    finally:
        tool("start", API_SERVER, timeout=200)


async def _keep_asking(sender: Client, name: str, number: int, over: asyncio.Event) -> None:
    """One request after the other, until it is over."""
    for turn in count():
        if over.is_set():
            return
        stream = (turn + number) % 2 == 0
        id_ = f"{name}-{number}-{turn}"
        await sender.send(Sent(id_, name, Phase.RUNNING, "running", stream, 40 if stream else 5))
        await asyncio.sleep(0.05)


Outage = Callable[[], AbstractContextManager[None]]


async def under_load(
    gateway: Gateway, namespace: str, outage: Outage, during: Callable[[], None]
) -> list[Sent]:
    """What became of the requests to the warm service before, during and after an outage."""
    over = asyncio.Event()

    def happens() -> None:
        with outage():
            during()

    async with client(gateway.url, namespace) as sender, asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(_keep_asking(sender, "warm", number, over))
        try:
            await asyncio.sleep(1)
            await asyncio.to_thread(happens)
            await asyncio.sleep(1)
        finally:
            over.set()
    return sender.sent


def _answers_again(kubectl: Kubectl) -> bool:
    try:
        kubectl.run("get", "--raw", "/readyz")
    except CommandError:
        return False
    return True


def told(name: str, seconds: float, sent: list[Sent], **more: Any) -> None:
    """Prints the figures of one outage, and adds them to the results."""
    waits = sorted(each.seconds for each in sent)
    failed = [f"{each.id}: {each.failure}" for each in sent if each.failure]
    found = {
        "seconds": round(seconds, 1),
        "requests": len(sent),
        "streams": sum(each.stream for each in sent),
        "failed": failed,
        "median_seconds": round(statistics.median(waits), 3),
        "longest_seconds": round(waits[-1], 3),
        **more,
    }
    print(f"\n{name}: {found}")
    if RESULTS:
        path = Path(RESULTS)
        before = json.loads(path.read_text())["rounds"] if path.exists() else []
        rounds = [each for each in before if each["what"] != name] + [{"what": name, **found}]
        when, load = datetime.now(UTC).isoformat(timespec="seconds"), round(os.getloadavg()[0], 2)
        machine = {"cores": os.cpu_count(), "load_after": load}
        result = {"name": "outages", "when": when, "machine": machine, "rounds": rounds}
        path.write_text(json.dumps(result, indent=1) + "\n")


def test_with_the_operator_gone_warm_traffic_goes_on_and_sleeping_services_wake(
    kubectl: Kubectl, services: Services, gateway: Gateway, small: bool
) -> None:
    make(services, "warm", idleTimeoutSeconds=3600)
    cold = [f"cold-{number}" for number in range(3 if small else 0)]
    for name in cold:
        make(services, name)
    assert chat(gateway, services.namespace, "warm").status_code == 200
    woken: dict[str, int] = {}

    def during() -> None:
        for name in cold:
            time.sleep(OPERATOR_SECONDS / (len(cold) + 1))
            woken[name] = chat(gateway, services.namespace, name).status_code
        time.sleep(OPERATOR_SECONDS / (len(cold) + 1))

    began = time.monotonic()
    sent = asyncio.run(under_load(gateway, services.namespace, lambda: operator_down(kubectl), during))
    told("operator", time.monotonic() - began, sent, woken=woken)
    assert [each for each in sent if each.failure] == []
    assert woken == dict.fromkeys(cold, 200)
    for name in cold:
        services.wait_phase(name, "Idle", seconds=120)


def test_with_the_api_server_gone_warm_traffic_goes_on_and_who_sleeps_says_why_it_cannot_wake(
    kubectl: Kubectl, services: Services, gateway: Gateway
) -> None:
    if not state_of(os.environ).audit_log.exists():
        pytest.skip("only the embedded cluster's API server can be stopped")
    make(services, "warm", idleTimeoutSeconds=3600)
    make(services, "asleep", coldStartTimeoutSeconds=SHORT_BUDGET)
    assert chat(gateway, services.namespace, "warm").status_code == 200
    answers: list[httpx.Response] = []

    def during() -> None:
        end = time.monotonic() + API_SECONDS
        while time.monotonic() < end:
            answers.append(chat(gateway, services.namespace, "asleep"))
            time.sleep(1)

    began = time.monotonic()
    sent = asyncio.run(under_load(gateway, services.namespace, api_server_down, during))
    said = answers[-1].json()["error"]
    told("api_server", time.monotonic() - began, sent, asleep=len(answers), said=said)
    assert [each for each in sent if each.failure] == []
    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert "cannot be woken while the API server is away" in said["reason"]
    eventually(lambda: _answers_again(kubectl), "the API server answers again", seconds=120)
    services.wait_phase("warm", "Running", seconds=120)
