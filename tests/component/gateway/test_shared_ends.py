"""Two gateways share a queue, and one of them sees something else than the other."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    post,
    scripted,
    until,
    worker,
)
from tests.component.gateway.test_peers import BODY, CHAT, chat, pair
from tests.ports import free_ports
from tidegate.domain.service import ServiceView
from tidegate.gateway.peer_source import StaticPeers

LONG = json.dumps({**CHAT, "max_tokens": 100_000}).encode()


async def test_an_endpoint_that_only_the_arbiter_still_has_is_out_when_a_member_cannot_reach_it() -> None:
    (port,) = free_ports(1)
    gone = worker(port, uid="gone", ready=True)
    async with pair(ServiceView(config())) as two, httpx.AsyncClient(timeout=60) as client:
        two.arbiters.show(ServiceView(config(), (gone,)))
        asked = asyncio.create_task(client.post(chat(two.member), json=CHAT))
        await until(lambda: bool(two.queue.ejections.records) and two.queue.flow.waiting == 1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


async def test_the_arbiter_tells_the_operator_when_a_members_request_has_waited_too_long() -> None:
    async with (
        pair(ServiceView(config(cold_start_timeout_seconds=3))) as two,
        httpx.AsyncClient(timeout=60) as client,
    ):
        async with asyncio.timeout(120):
            lines = two.arbiter.fleet.demand.subscribe()
            await anext(lines)
            asked = asyncio.create_task(client.post(chat(two.member), json=CHAT))
            waiting: list[int] = []
            while waiting[-2:] != [1, 0]:
                for line in (await anext(lines)).splitlines():
                    if (said := json.loads(line)).get("service") and said["waiting"] not in waiting[-1:]:
                        waiting.append(said["waiting"])
        assert (await asked).status_code == 503


async def test_the_last_gateway_tells_the_operator_what_it_holds_when_it_takes_over() -> None:
    async with engine(tokens_per_second="5") as slow, contextlib.AsyncExitStack() as stack:
        view = ServiceView(config(), (worker(slow.port, ready=True),))
        async with pair(view) as two:
            _, writer = await stack.enter_async_context(connection(two.member.port))
            writer.write(post(LONG))
            await until(lambda: two.queue.flow.in_flight == 1)
            lines = two.member.fleet.demand.subscribe()
            await anext(lines)
            mesh = two.arbiter.fleet.mesh
            assert mesh is not None
            await mesh.close()
            async with asyncio.timeout(120):
                while not any(json.loads(x).get("inFlight") for x in (await anext(lines)).splitlines()):
                    pass


async def test_a_member_refuses_what_ran_on_a_worker_that_went_with_its_service() -> None:
    hangs = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hangs.wait()
        writer.close()

    async with scripted(script) as port:
        view = ServiceView(config(), (worker(port, ready=True),))
        async with pair(view) as two, httpx.AsyncClient(timeout=60) as client:
            asked = asyncio.create_task(client.post(chat(two.member), json=CHAT))
            await until(lambda: two.queue.flow.in_flight == 1)
            two.arbiters.remove(KEY)
            two.members.remove(KEY)
            hangs.set()
            answer = await asked
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_removed")


async def test_what_waits_for_an_arbiter_is_refused_when_its_service_is_deleted() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    silent = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)  # accepts, and never says a word
    ports = [silent.sockets[0].getsockname()[1], *free_ports(1)]
    peers = StaticPeers([("127.0.0.1", port) for port in ports])
    async with (
        gateway(substrate, peers=peers, peer_port=ports[1]) as one,
        connection(one.port) as (reader, writer),
    ):
        writer.write(post(BODY))
        await until(lambda: one.fleet.services[KEY].idle_seconds() is not None)
        assert not one.fleet.services[KEY].flow.depth
        substrate.remove(KEY)
        assert b"service_removed" in await asyncio.wait_for(reader.readuntil(b"}}"), 60)
    silent.close()


async def test_a_service_made_again_does_not_count_what_its_namesake_ran() -> None:
    async with engine(tokens_per_second="5") as slow, contextlib.AsyncExitStack() as stack:
        view = ServiceView(config(), (worker(slow.port, ready=True),))
        async with pair(view) as two:
            _, writer = await stack.enter_async_context(connection(two.arbiter.port))
            writer.write(post(LONG))
            await until(lambda: two.queue.flow.in_flight == 1)
            two.arbiters.remove(KEY)
            two.arbiters.show(view)
            assert list(two.arbiter.traffic.tickets()) == []
