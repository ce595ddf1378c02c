"""A cold start's record: when it begins and ends, and what the operator hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from tests.component.gateway.harness import KEY, HandSubstrate, config, engine, gateway, metric, until, worker
from tests.component.gateway.test_peers import chat, pair
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.domain.start_record import parse_records
from tidegate.gateway.server import Gateway

CHAT = {"model": "m", "messages": [], "max_tokens": 2}
PARTS = ("api", "scheduling", "image_and_container", "engine_and_load", "first_byte")


def url(running: Gateway) -> str:
    return f"http://127.0.0.1:{running.port}/v1/chat/completions"


async def heard(running: Gateway) -> dict[str, Any]:
    """What somebody who begins to listen hears of the service first."""
    lines: Any = running.fleet.demand.subscribe()
    async with aclosing(lines):
        found: dict[str, Any] = json.loads((await anext(lines)).split(b"\n")[0])
        return found


@asynccontextmanager
async def asleep(**changes: Any) -> AsyncIterator[tuple[Gateway, HandSubstrate, httpx.AsyncClient]]:
    """A gateway, its substrate with one sleeping service, and a client."""
    substrate = HandSubstrate(ServiceView(config(**changes)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        yield running, substrate, client


async def test_the_operator_hears_that_a_start_is_under_way_and_its_record_when_it_is_over() -> None:
    async with engine(tokens_per_second="0") as loaded, asleep() as (running, substrate, client):
        asked = asyncio.create_task(client.post(url(running), json=CHAT))
        await until(lambda: bool(substrate.wakes))
        line = await heard(running)
        assert line["starting"] is True
        assert "coldStarts" not in line
        substrate.show(ServiceView(config(), (worker(1, host="", stage="created", name="w-1"),)))
        substrate.show(ServiceView(config(), (worker(loaded.port, name="w-1"),)))
        assert (await asked).status_code == 200
        line = await heard(running)
    assert "starting" not in line
    (record,) = parse_records(line["coldStarts"])
    assert record.worker == "w-1"
    assert [point for point, _ in record.points] == [
        "created",
        "scheduled",
        "started",
        "loaded",
        "first_byte",
    ]


async def test_every_record_is_told_to_who_begins_to_listen_and_later_lines_do_without() -> None:
    async with engine(tokens_per_second="0") as loaded, asleep() as (running, substrate, client):
        service = running.fleet.services[KEY]
        for number in range(3):

            async def start(_: ServiceKey, name: str = f"w-{number}") -> None:
                substrate.show(ServiceView(config(), (worker(loaded.port, uid=name, name=name),)))

            substrate.on_wake = start
            assert (await client.post(url(running), json=CHAT)).status_code == 200
            substrate.show(ServiceView(config()))
        records = parse_records((await heard(running))["coldStarts"])
        assert [each.worker for each in records] == ["w-0", "w-1", "w-2"]
        (latest,) = parse_records(service.demand()["coldStarts"])
        assert latest.worker == "w-2"
        service.starts._told_until = 0.0
        assert "coldStarts" not in service.demand()
        assert metric(running, "gateway_cold_start_seconds_count", part="api") == 3


async def test_a_start_whose_clients_have_left_ends_with_the_worker_and_has_no_first_byte() -> None:
    async with engine() as loaded, asleep(cold_start_timeout_seconds=1) as (running, substrate, client):

        async def create(_: ServiceKey) -> None:
            view = ServiceView(substrate.views[KEY].config, (worker(1, host="", stage="created"),))
            substrate.show(view)

        substrate.on_wake = create
        assert (await client.post(url(running), json=CHAT)).status_code == 503
        assert (await heard(running))["starting"] is True, "its worker may still come"
        substrate.show(ServiceView(config(), (worker(loaded.port, name="w-1"),)))
        starts = running.fleet.services[KEY].starts
        await until(lambda: starts.latest is not None and starts.latest.settled)
        (record,) = parse_records((await heard(running))["coldStarts"])
        text = (await client.get(f"http://127.0.0.1:{running.admin_port}/metrics")).text
    assert "first_byte" not in dict(record.points)
    assert 'part="engine_and_load"} 1' in text
    assert 'part="first_byte"' not in text
    assert "gateway_cold_start_whole_seconds_count" not in text


async def test_a_start_that_was_given_up_is_not_in_the_next_ones_time() -> None:
    async with (
        engine(tokens_per_second="0") as loaded,
        asleep(cold_start_timeout_seconds=0.05) as (
            running,
            substrate,
            client,
        ),
    ):
        assert (await client.post(url(running), json=CHAT)).status_code == 503
        starts = running.fleet.services[KEY].starts
        first = starts.latest
        await until(lambda: starts.under_way is None)
        assert "starting" not in await heard(running)
        substrate.show(ServiceView(config()))  # a longer wait this time

        async def start(_: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(loaded.port),)))

        substrate.on_wake = start
        assert (await client.post(url(running), json=CHAT)).status_code == 200
    assert first is not None
    assert starts.latest is not None
    assert starts.latest.woken > first.woken
    assert starts.latest.settled


async def test_of_two_gateways_one_counts_the_start_and_hears_of_the_first_byte_at_the_other() -> None:
    async with engine(tokens_per_second="0") as quick, pair(ServiceView(config())) as two:
        woken = ServiceView(config(), (worker(quick.port, name="w-1"),))

        async def wake(_: object) -> None:
            two.members.show(woken)
            two.arbiters.show(woken)

        two.arbiters.on_wake = wake
        async with httpx.AsyncClient(timeout=60) as client:
            assert (await client.post(chat(two.member), json=CHAT)).status_code == 200
        await until(lambda: two.queue.starts.latest is not None and two.queue.starts.latest.settled)
        (record,) = parse_records((await heard(two.arbiter))["coldStarts"])
        assert tuple(point for point, _ in record.points)[-1] == "first_byte"
        assert "coldStarts" not in await heard(two.member)
