"""Services that sleep and wake again and again on one machine: no request lost, none run twice.

A few cycles here; ``make campaign-local`` runs 200 and writes their figures. Everything is drawn from a seed:
TIDEGATE_CYCLES_SEED=7 plans the same requests again.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.component.local.ledger import Book, book
from tests.component.local.manifests import NAMESPACE, Json, service
from tests.component.local.place import Place
from tests.component.local.scene import watched
from tests.component.local.up import Up
from tests.component.local.waiting import until
from tests.e2e.cycles.client import Sent, client
from tests.e2e.cycles.driver import Driver
from tests.e2e.cycles.plan import IDLE_TIMEOUT
from tests.e2e.cycles.scene import Pool
from tests.e2e.cycles.verdict import Verdict, Wakes, table

CYCLES = int(os.environ.get("TIDEGATE_CYCLES", "10"))
SEED = int(os.environ.get("TIDEGATE_CYCLES_SEED", "1"))
RESULTS = os.environ.get("TIDEGATE_CYCLES_RESULTS", "")  # where the figures are written; empty: nowhere
SIDE_BY_SIDE = int(os.environ.get("TIDEGATE_CYCLES_SERVICES", "5"))


def tide(name: str, told: Book) -> Json:
    """A service whose engine tells the book what it does, and starts in a third of a second."""
    engine = {"ENGINE_REPORT_TO": told.address, "ENGINE_START_DELAY_SECONDS": "0.3"}
    return service(name, engine, idle=IDLE_TIMEOUT)


async def cycle(up: Up, names: list[str]) -> tuple[dict[str, Pool], list[Sent]]:
    """Takes all services through their share of the cycles; what was seen, and what was sent."""
    share = -(-CYCLES // len(names))
    async with watched(up, names) as scene, client(up.url, NAMESPACE) as sender:
        async with asyncio.TaskGroup() as group:
            for name in names:
                chance = random.Random(f"{SEED} {name}")  # noqa: S311 - a plan, no secret
                group.create_task(Driver(name, scene, sender, chance).run(share))
        for name in names:
            await up.wait_asleep(name)
        return scene.pools, sender.sent


def _keep(verdict: Verdict) -> None:
    if RESULTS:
        figures = verdict.result() | {"name": "local_cycles"}
        Path(RESULTS).write_text(json.dumps(figures, indent=1) + "\n")


@pytest.mark.timeout(1500)
async def test_requests_in_every_phase_of_the_cycle_are_answered_once_and_wake_once(here: Place) -> None:
    load, began = os.getloadavg()[0], time.monotonic()
    async with book() as told:
        names = [f"tide-{number}" for number in range(min(SIDE_BY_SIDE, CYCLES))]
        here.put(*(tide(name, told) for name in names))
        up = await here.start()
        pools, sent = await cycle(up, names)
        with suppress(AssertionError):  # what is missing is judged as lost
            answered = {each.id for each in sent if not each.failure}
            await until(lambda: answered <= told.read().ended.keys(), "all ends are told")
        wakes = Wakes(sum(pool.wakes for pool in pools.values()), await up.wakes(), None, None)
        verdict = Verdict(SEED, time.monotonic() - began, tuple(sent), told.read(), pools, wakes, load)
        print(f"\n{table(verdict)}\n{verdict.result()['phases']}\n{wakes}")
        _keep(verdict)
        assert verdict.cycles >= CYCLES
        assert (verdict.lost, verdict.doubled, verdict.over_budget) == ([], [], [])
        assert wakes.counted == told.engines, "each wake is one worker's start"
        assert verdict.wasted == []
