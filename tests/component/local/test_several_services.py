"""Several workers of a service, and services that compete for the cores of one machine."""

from __future__ import annotations

import asyncio
import os

import httpx

from tests.component.local.ledger import book
from tests.component.local.manifests import Json, service
from tests.component.local.place import Place
from tests.component.local.up import Up
from tests.component.local.waiting import SECONDS, until

ALONE = "Preferred"


async def test_workers_of_one_service_share_its_requests_and_one_that_dies_is_replaced(here: Place) -> None:
    async with book() as told:
        kept = {"minReplicas": 2, "maxReplicas": 2}
        here.put(service("pair", {"ENGINE_REPORT_TO": told.address}, scaling=kept))
        up = await here.start()
        await until(lambda: _ready(up, "pair", 2), "both are ready")
        addresses = {pod["status"]["podIP"] for pod in await up.pods("pair")}
        assert len(addresses) == 2
        tasks = [up.begin("pair", tokens=100, request_id=f"r{number}") for number in range(8)]
        answers = await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
        assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 8
        await until(lambda: len(told.read().workers) == 2, "both have answered some")
        victim = here.leaders()[0]
        victim.kill()
        await until(lambda: victim not in here.leaders(), "it has died")
        await up.answered("pair")
        await until(lambda: _ready(up, "pair", 2), "both are ready again")


async def test_of_two_services_that_want_the_same_core_the_second_waits_says_why_and_starts_when_it_is_free(
    here: Place,
) -> None:
    core = str(min(os.sched_getaffinity(0)))
    here.put(service("first", idle=600, cpuIsolation=ALONE), service("second", cpuIsolation=ALONE))
    up = await here.start(under=("taskset", "--cpu-list", core))
    await up.answered("first")
    asked = up.begin("second")
    await up.wait_ready("second", "Unschedulable", "it wants 1 core to itself")
    [pod] = await up.pods("second")
    assert "nodeName" not in pod["spec"]
    described = await here.tidegate("describe", "second", "--state", str(here.state))
    assert "a worker waits for cores, memory or devices" in described.out
    assert not asked.done()
    here.put(service("first", idle=1, cpuIsolation=ALONE))
    answer = await asyncio.wait_for(asked, SECONDS)
    assert answer.status_code == httpx.codes.OK, answer.text
    await up.wait_asleep("second")


async def _ready(up: Up, name: str, count: int) -> bool:
    return sum(_is_ready(pod) for pod in await up.pods(name)) == count


def _is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
