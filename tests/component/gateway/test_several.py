"""Several gateways in one process, and a gateway whose time to drain is over."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import cast

import httpx
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    metric,
    post,
    read_answer,
    ready,
    until,
    worker,
)
from tidegate.domain.service import ServiceView
from tidegate.gateway.backlog import accept_backlog

CHAT = {"model": "m", "messages": [], "max_tokens": 2}


async def test_two_gateways_in_one_process_share_nothing() -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(), (worker(quick.port),))
        async with (
            gateway(HandSubstrate(view)) as one,
            gateway(HandSubstrate(view)) as two,
            httpx.AsyncClient(timeout=60) as client,
        ):
            await ready(one)
            await ready(two)
            for _ in range(3):
                await client.post(f"http://127.0.0.1:{one.port}/v1/completions", json=CHAT)
            await client.post(f"http://127.0.0.1:{two.port}/v1/completions", json=CHAT)
            assert metric(one, "gateway_requests_total") == 3
            assert metric(two, "gateway_requests_total") == 1
            assert one.fleet.services[KEY].arrivals == 3


async def test_what_does_not_finish_in_the_time_to_drain_is_told_so() -> None:
    async with engine("--max-num-seqs", "1", tokens_per_second="20") as slow:
        view = ServiceView(config(max_concurrency=1), (worker(slow.port),))
        async with (
            gateway(HandSubstrate(view), drain_seconds=0.1) as running,
            connection(running.port) as (reader, writer),
            connection(running.port) as (waiting, second),
        ):
            await ready(running)
            writer.write(post(json.dumps({**CHAT, "stream": True, "max_tokens": 100_000}).encode()))
            await reader.readuntil(b"data: ")
            second.write(post(json.dumps(CHAT).encode()))
            await until(lambda: running.fleet.services[KEY].flow.depth == 2)
            await asyncio.wait_for(running.drain(), 60)
            stream, refused = await reader.read(), await waiting.read()
            assert metric(running, "gateway_requests_total", outcome="evicted_draining") == 2
    assert b'"code": "gateway_draining"' in stream
    assert stream.endswith(b"0\r\n\r\n")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in refused


async def test_a_slow_reader_of_http_1_0_gets_metrics_without_chunks() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        connection(running.admin_port) as (reader, writer),
    ):
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body.startswith(b"# HELP ")


async def test_a_drain_answers_a_connections_first_request_and_closes_an_idle_connection() -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(), (worker(quick.port),))
        async with (
            gateway(HandSubstrate(view)) as running,
            connection(running.port) as (fresh, first),
            connection(running.port) as (idle, second),
        ):
            await ready(running)
            second.write(post(json.dumps(CHAT).encode()))
            assert (await read_answer(idle)).status == 200
            await until(lambda: len(running.traffic.connections) == 2)
            draining = asyncio.create_task(running.drain())
            assert await asyncio.wait_for(idle.read(), 60) == b""
            first.write(post(json.dumps(CHAT).encode()))
            answer = await read_answer(fresh)
            assert (answer.status, answer.fields["connection"]) == (200, "close")
            await asyncio.wait_for(draining, 60)


async def test_connections_that_nobody_has_accepted_yet_are_served_when_the_server_stops_listening() -> None:
    class Echo(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            writable = cast(asyncio.WriteTransport, transport)
            writable.write(b"here")
            writable.close()

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    clients = [socket.create_connection(address) for _ in range(20)]  # no turn of the loop between
    await accept_backlog(server, Echo)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    for client in clients:
        client.setblocking(False)
        assert await asyncio.wait_for(loop.sock_recv(client, 10), 60) == b"here"
        client.close()
