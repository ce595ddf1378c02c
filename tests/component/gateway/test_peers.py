"""Two gateways in one process: one is the arbiter, the other asks it over a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    engine_says,
    gateway,
    metric,
    post,
    read_answer,
    scripted,
    until,
    worker,
)
from tests.ports import free_ports
from tidegate.domain.service import ServiceView
from tidegate.gateway import peer_frames as frames
from tidegate.gateway.peer_source import StaticPeers
from tidegate.gateway.server import Gateway
from tidegate.gateway.service import Service

CHAT = {"model": "m", "messages": [], "max_tokens": 2}
BODY = json.dumps(CHAT).encode()


@dataclass
class Pair:
    """The two, and what each one's substrate is."""

    arbiter: Gateway
    member: Gateway
    arbiters: HandSubstrate
    members: HandSubstrate

    @property
    def queue(self) -> Service:
        """The service where its queue is."""
        return self.arbiter.fleet.services[KEY]

    @property
    def there(self) -> Service:
        """The service where it is only asked for."""
        return self.member.fleet.services[KEY]


@contextlib.asynccontextmanager
async def pair(view: ServiceView, **changes: Any) -> AsyncIterator[Pair]:
    """Two gateways that have agreed on the arbiter of the one service."""
    ports = free_ports(2)
    peers = StaticPeers([("127.0.0.1", port) for port in ports])
    substrates = HandSubstrate(view), HandSubstrate(view)
    async with (
        gateway(substrates[0], peers=peers, peer_port=ports[0], **changes) as one,
        gateway(substrates[1], peers=peers, peer_port=ports[1], **changes) as two,
    ):
        both = one.fleet.services[KEY], two.fleet.services[KEY]
        await until(lambda: sorted(_place(service) for service in both) == ["acts", "asks"])
        if _place(both[0]) == "acts":
            yield Pair(one, two, *substrates)
        else:
            yield Pair(two, one, *reversed(substrates))


def _place(service: Service) -> str:
    seat = service.seat
    assert seat is not None
    if seat.here:
        return "acts" if seat.acts else "waits"
    return "asks" if seat.remote.confirmed else "joins"


def chat(at: Gateway) -> str:
    return f"http://127.0.0.1:{at.port}/v1/completions"


async def test_a_request_at_a_member_wakes_the_service_once_through_the_arbiter() -> None:
    async with engine(tokens_per_second="0") as quick, pair(ServiceView(config())) as two:
        woken = ServiceView(config(), (worker(quick.port),))

        async def wake(_: object) -> None:
            two.members.show(woken)
            two.arbiters.show(woken)

        two.arbiters.on_wake = two.members.on_wake = wake
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(chat(two.member), json=CHAT)
        assert answer.status_code == 200
        assert "coldstart;dur=0.0" not in answer.headers["server-timing"]
        assert (len(two.arbiters.wakes), len(two.members.wakes)) == (1, 0)


async def test_the_gateways_numbers_add_up_to_the_truth() -> None:
    view = ServiceView(config(max_concurrency=1))
    async with engine("--max-num-seqs", "1", tokens_per_second="20") as slow, pair(view) as two:
        shown = ServiceView(config(max_concurrency=1), (worker(slow.port),))
        two.members.show(shown)
        two.arbiters.show(shown)
        async with contextlib.AsyncExitStack() as stack:
            for at in (two.member, two.arbiter, two.member):
                _, writer = await stack.enter_async_context(connection(at.port))
                writer.write(post(json.dumps({**CHAT, "max_tokens": 100_000}).encode()))
            await until(lambda: two.queue.flow.depth == 3 and two.queue.flow.in_flight == 1)
            for name, value in (("gateway_queue_depth", 3), ("gateway_in_flight", 1)):
                assert metric(two.arbiter, name) + metric(two.member, name) == value
            lines = two.queue.demand(), two.there.demand()
            assert sum(int(str(line["waiting"])) + int(str(line["inFlight"])) for line in lines) == 3
            assert [line["idleSeconds"] for line in lines] == [0.0, 0.0]
            assert [line["executionSeconds"] for line in lines] == [None, None], "none has ended"
        await until(lambda: two.queue.flow.depth == 0)
        assert float(str(two.queue.demand()["executionSeconds"])) > 0
        assert two.there.demand()["executionSeconds"] is None, "the arbiter tells"
        assert two.there.demand()["idleSeconds"] is not None


async def test_a_member_answers_a_full_queue_as_the_arbiter_would() -> None:
    async with pair(ServiceView(config(max_depth=1, retry_after_seconds=7))) as two:
        async with connection(two.arbiter.port) as (_, first):
            first.write(post(BODY))
            await until(lambda: two.queue.flow.depth == 1)
            async with httpx.AsyncClient(timeout=60) as client:
                answers = [await client.post(chat(at), json=CHAT) for at in (two.arbiter, two.member)]
        assert [answer.status_code for answer in answers] == [429, 429]
        assert answers[0].json() == answers[1].json()
        assert [answer.headers["retry-after"] for answer in answers] == ["7", "7"]
        assert metric(two.member, "gateway_requests_total", outcome="rejected_overload") == 1


@pytest.mark.parametrize("depth", [1, 2])
async def test_100_continue_at_a_member_comes_after_the_arbiters_admission_alone(depth: int) -> None:
    async with (
        pair(ServiceView(config(max_depth=depth))) as two,
        connection(two.arbiter.port) as (_, first),
        connection(two.member.port) as (reader, writer),
    ):
        first.write(post(BODY))
        await until(lambda: two.queue.flow.depth == 1)
        head = f"POST /team-a/qwen/v1/completions HTTP/1.1\r\nhost: g\r\ncontent-length: {len(BODY)}\r\n"
        writer.write(head.encode() + b"expect: 100-continue\r\n\r\n")
        answer = await read_answer(reader)
        assert answer.status == (100 if depth == 2 else 429)
        if depth == 2:
            writer.write(BODY)
            await until(lambda: two.queue.flow.waiting == 2)


async def test_what_a_member_meets_at_a_worker_the_arbiter_heeds() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with engine(tokens_per_second="0") as good, scripted(close) as bad:
        broken, well = worker(bad, uid="bad", ready=True), worker(good.port, uid="good", ready=True)
        async with pair(ServiceView(config(), (broken,))) as two, httpx.AsyncClient(timeout=60) as client:
            asked = asyncio.create_task(client.post(chat(two.member), json=CHAT))
            await until(lambda: any(key.uid == "bad" for key in two.queue.ejections.records))
            for substrate in (two.members, two.arbiters):
                substrate.show(ServiceView(config(), (broken, well)))
            assert (await asked).status_code == 200


async def test_a_slot_is_free_when_the_members_client_leaves() -> None:
    async with (
        engine("--max-num-seqs", "1", tokens_per_second="20") as slow,
        contextlib.AsyncExitStack() as stack,
    ):
        view = ServiceView(config(max_concurrency=1), (worker(slow.port),))
        two = await stack.enter_async_context(pair(view))
        async with connection(two.member.port) as (_, writer):
            writer.write(post(json.dumps({**CHAT, "max_tokens": 100_000}).encode()))
            await until(lambda: two.queue.flow.in_flight == 1)
            await engine_says(slow.port, 'vllm:num_requests_running{model_name="m"} 1')
        await until(lambda: two.queue.flow.depth == 0)
        async with httpx.AsyncClient(timeout=60) as client:
            assert (await client.post(chat(two.arbiter), json=CHAT)).status_code == 200


async def test_a_service_that_is_deleted_refuses_what_waits_at_both_gateways() -> None:
    async with pair(ServiceView(config())) as two, httpx.AsyncClient(timeout=60) as client:
        asked = [asyncio.create_task(client.post(chat(at), json=CHAT)) for at in (two.member, two.arbiter)]
        await until(lambda: two.queue.flow.waiting == 2)
        two.arbiters.remove(KEY)
        two.members.remove(KEY)
        for answer in await asyncio.gather(*asked):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_removed")


async def test_only_a_known_gateways_address_may_speak_on_the_peer_port() -> None:
    async with pair(ServiceView(config())) as two:
        mesh = two.arbiter.fleet.mesh
        assert mesh is not None
        for source, heard in (("127.0.0.2", False), ("127.0.0.1", True)):
            reader, writer = await asyncio.open_connection("127.0.0.1", mesh.port, local_addr=(source, 0))
            with contextlib.suppress(ConnectionError):
                writer.write(frames.hello("somebody", 1))
                said = await asyncio.wait_for(reader.read(100), 60)
                assert bool(said) is heard
            writer.close()


async def test_a_gateway_of_another_version_is_refused_and_the_log_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with pair(ServiceView(config())) as two:
        mesh = two.arbiter.fleet.mesh
        assert mesh is not None
        async with connection(mesh.port) as (reader, writer):
            hello = bytearray(frames.hello("somebody", 1))
            hello[hello.index(frames.VERSION, 3)] = 9
            writer.write(bytes(hello))
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
    assert "it speaks version 9, this gateway 1: upgrade the older one" in caplog.text


async def test_a_member_that_falls_silent_is_let_go() -> None:
    """A connection without words is ended, and what its gateway held is free."""
    async with pair(ServiceView(config())) as two:
        mesh = two.arbiter.fleet.mesh
        assert mesh is not None
        silent = socket.create_connection(("127.0.0.1", mesh.port))
        silent.sendall(
            frames.hello("silent", 1)
            + frames.service(0, str(KEY))
            + frames.S_EPOCH.pack(frames.S_EPOCH.size, frames.JOIN, 0, 1)
            + frames.S_SERVICE.pack(frames.S_SERVICE.size, frames.REPORTED, 0)
            + frames.S_ASK.pack(frames.S_ASK.size, frames.ASK, 0, 1, 10, 1, 0, 0)
        )
        await until(lambda: two.queue.flow.depth == 1)
        now = 0.0
        for _ in range(10):
            now += 1e6
            mesh.sweep(now)
        await until(lambda: two.queue.flow.depth == 0)
        silent.close()
