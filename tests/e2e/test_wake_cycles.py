"""Services that sleep and wake again and again, with requests in every phase: none lost, none run twice.

A few cycles here; ``make campaign-wake`` runs 200 and writes their figures. Everything is drawn from a seed:
TIDEGATE_CYCLES_SEED=7 plans the same requests again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.component.chart.audit import entries_of
from tests.e2e.conftest import Gateway
from tests.e2e.cycles.client import Sent, client
from tests.e2e.cycles.driver import Driver
from tests.e2e.cycles.ledger import Ledger, open_ledger, read_ledger
from tests.e2e.cycles.plan import IDLE_TIMEOUT, Phase
from tests.e2e.cycles.scene import Pool, watched
from tests.e2e.cycles.verdict import Verdict, Wakes, table
from tests.e2e.kubectl import Kubectl, eventually
from tests.e2e.services import Services, simulated
from tests.e2e.small_workers import forget, make_small
from tests.e2e.test_wake_and_sleep import metric
from tidegate.devcluster.layout import state_of
from tidegate.kube.client import KubeClient

CYCLES = int(os.environ.get("TIDEGATE_CYCLES", "10"))
SEED = int(os.environ.get("TIDEGATE_CYCLES_SEED", "1"))
RESULTS = os.environ.get("TIDEGATE_CYCLES_RESULTS", "")  # where the figures are written; empty: nowhere
SIDE_BY_SIDE = int(os.environ.get("TIDEGATE_CYCLES_SERVICES", "6"))
GATEWAY = "system:serviceaccount:tidegate-system:tidegate-gateway"


@pytest.fixture
def names(kubectl: Kubectl, services: Services) -> Iterator[list[str]]:
    """Services that sleep after a second, side by side where workers can be small; their engines tell a
    ledger what they do."""
    count = SIDE_BY_SIDE if make_small(kubectl, services.namespace) else 1
    try:
        ledger = open_ledger(kubectl, services.namespace)
        found = [f"tide-{number}" for number in range(min(count, CYCLES))]
        for name in found:
            services.apply(_service(name, services.namespace, ledger))
        for name in found:
            services.wait_phase(name, "Idle", seconds=120)
        yield found
    finally:
        forget(kubectl, services.namespace)


def _service(name: str, namespace: str, ledger: str) -> dict[str, object]:
    manifest = simulated(name, namespace, ENGINE_REPORT_TO=ledger, ENGINE_START_DELAY_SECONDS="0.3")
    manifest["spec"] |= {"cpuIsolation": "None", "resources": {"cpu": 1, "memory": "96Mi"}}
    manifest["spec"]["scaling"] = {
        "idleTimeoutSeconds": IDLE_TIMEOUT,
        "maxIdleTimeoutSeconds": IDLE_TIMEOUT,  # they are woken again and again, which is the point
        "coldStartTimeoutSeconds": 60,
    }
    return manifest


async def cycle(
    gateway: Gateway, namespace: str, names: list[str], kubeconfig: str
) -> tuple[dict[str, Pool], list[Sent]]:
    """Takes all services through their share of the cycles; what was seen, and what was sent."""
    share = -(-CYCLES // len(names))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", kubeconfig)
        kube = await KubeClient.connect()
    async with kube, watched(kube, namespace) as scene, client(gateway.url, namespace) as sender:
        chances = {name: random.Random(f"{SEED} {name}") for name in names}  # noqa: S311 - a plan, no secret
        drivers = [Driver(name, scene, sender, chances[name]) for name in names]
        async with asyncio.TaskGroup() as group:
            for driver in drivers:
                group.create_task(driver.run(share))
        for name in names:
            asleep = f"{name} sleeps, and its last worker has gone"
            await scene.until(lambda: scene.pool(name).phase is Phase.ASLEEP, asleep, 120)  # noqa: B023
        return scene.pools, sender.sent


def patches(namespace: str, since: str) -> tuple[int, int] | None:
    """How many PATCHes of scales in a namespace the gateways sent, and how many of them were refused; None:
    this cluster's audit log cannot be read here."""
    log = state_of(os.environ).audit_log
    if not log.exists():
        return None
    codes = [
        entry["responseStatus"]["code"]
        for entry in entries_of(log)
        if (entry["verb"], entry["user"].get("username")) == ("patch", GATEWAY)
        and entry["objectRef"].get("subresource") == "scale"
        and entry["objectRef"]["namespace"] == namespace
        and entry["requestReceivedTimestamp"] >= since
    ]
    return len(codes), sum(code != 200 for code in codes)


def settled_ledger(kubectl: Kubectl, namespace: str, sent: list[Sent]) -> Ledger:
    """The ledger as soon as it has the end of every answer, or as it is after some seconds."""
    answered = {each.id for each in sent if not each.failure}
    with suppress(AssertionError):  # what is missing is judged as lost
        eventually(lambda: answered <= read_ledger(kubectl, namespace).ended.keys(), "all ends", seconds=120)
    return read_ledger(kubectl, namespace)


def test_requests_in_every_phase_of_the_cycle_are_answered_once_and_wake_once(
    kubectl: Kubectl, services: Services, gateway: Gateway, names: list[str], session_began: str
) -> None:
    namespace, load, began = services.namespace, os.getloadavg()[0], time.monotonic()
    pools, sent = asyncio.run(cycle(gateway, namespace, names, kubectl.environment["KUBECONFIG"]))
    seconds = time.monotonic() - began
    seen = sum(pool.wakes for pool in pools.values())
    counted = int(sum(metric(gateway, "gateway_wakes_total", name) for name in names))
    wakes = Wakes(seen, counted, *(patches(namespace, session_began) or (None, None)))
    ledger = settled_ledger(kubectl, namespace, sent)
    verdict = Verdict(SEED, seconds, tuple(sent), ledger, pools, wakes, load)
    print(f"\n{table(verdict)}\n{verdict.result()['phases']}\n{wakes}")
    if RESULTS:
        Path(RESULTS).write_text(json.dumps(verdict.result(), indent=1) + "\n")
    assert verdict.cycles >= CYCLES
    assert (verdict.lost, verdict.doubled, verdict.over_budget) == ([], [], [])
    assert wakes.seen == wakes.counted <= verdict.cycles
    assert wakes.asked is None or wakes.asked <= verdict.cycles
    assert verdict.wasted == []
