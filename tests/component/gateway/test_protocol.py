"""HTTP/1.1 as clients write it, well and badly."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    post,
    read_answer,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceView

CHAT = json.dumps(
    {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
).encode()


async def test_pipelined_requests_are_answered_in_their_order_whatever_each_costs() -> None:
    async with engine(tokens_per_second="100") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            slow = json.dumps({"model": "m", "max_tokens": 30}).encode()
            writer.write(
                post(slow, "/v1/completions", "x-request-id: first")
                + b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n"
                + post(CHAT, "/v1/chat/completions", "x-request-id: third")
                + post(b'{"model": "nope"}', "/v1/chat/completions", "x-request-id: fourth")
                + post(CHAT, "/v1/chat/completions", "x-request-id: fifth", "connection: close")
            )
            answers = [await read_answer(reader) for _ in range(5)]
            assert await reader.read() == b""
    assert [a.status for a in answers] == [200, 200, 200, 404, 200]
    ids = [a.fields.get("x-request-id") for a in answers]
    assert ids == ["first", None, "third", "fourth", "fifth"]


async def test_many_pipelined_requests_in_one_write_are_all_answered() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(
                b"".join(post(CHAT, "/v1/chat/completions", f"x-request-id: {n}") for n in range(200))
            )
            answers = [await read_answer(reader) for _ in range(200)]
    assert [a.fields["x-request-id"] for a in answers] == [str(n) for n in range(200)]


async def test_a_chunked_body_arrives_whole_at_the_worker_in_whatever_pieces_it_came() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            chunks = b"".join(b"1;why=not\r\n%c\r\n" % byte for byte in CHAT) + b"0\r\ntrailer: x\r\n\r\n"
            for path, host in (("/v1/chat/completions", "g"), ("/v1/chat/completions", "qwen.team-a.svc")):
                head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
                whole = head + chunks
                for start in range(0, len(whole), 97):
                    writer.write(whole[start : start + 97])
                    await writer.drain()
                    await asyncio.sleep(0)
                answer = await read_answer(reader)
                assert answer.status == 200
                assert json.loads(answer.body)["usage"]["completion_tokens"] == 2


async def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            for byte in post(CHAT):
                writer.write(bytes((byte,)))
                await writer.drain()
            assert (await read_answer(reader)).status == 200


async def test_hop_by_hop_fields_stay_here_and_everything_else_reaches_the_worker() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if not head.startswith(b"GET"):
                heads.append(head)
                await reader.readexactly(len(CHAT))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        substrate = HandSubstrate(ServiceView(config(), (worker(port, ready=True),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            fields = (
                "Authorization: Bearer key",
                "traceparent: 00-1-2-03",
                "Connection: keep-alive, X-Mine",
                "X-Mine: for the gateway",
                "Keep-Alive: timeout=5",
                "TE: trailers",
                "Upgrade: h2c",
                "X-Thing: 1",
                "X-Tidegate-Priority: 5",
            )
            writer.write(post(CHAT, "/team-a/qwen/v1/chat/completions?x=1", *fields))
            assert (await read_answer(reader)).status == 200
    head = heads[0].decode()
    assert head.startswith(f"POST /v1/chat/completions?x=1 HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n")
    assert "Authorization: Bearer key\r\n" in head
    assert "traceparent: 00-1-2-03\r\n" in head
    assert "X-Thing: 1\r\n" in head
    for gone in ("x-mine", "keep-alive", "te:", "upgrade", "connection", "x-tidegate"):
        assert gone not in head.lower()


async def test_an_offer_to_upgrade_is_ignored_and_the_request_served() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            offer = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk")
            writer.write(post(CHAT, "/v1/chat/completions", *offer) + post(CHAT))
            assert [(await read_answer(reader)).status for _ in range(2)] == [200, 200]


async def test_a_head_request_gets_no_body() -> None:
    async with gateway(HandSubstrate()) as running, connection(running.port) as (reader, writer):
        writer.write(b"HEAD /v1/models HTTP/1.1\r\nhost: g\r\n\r\nHEAD /x HTTP/1.1\r\nhost: g\r\n")
        writer.write(b"connection: close\r\n\r\n")
        whole = await asyncio.wait_for(reader.read(), 60)
    first, second, rest = whole.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 404")
    assert rest == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\nhost: g\n\n", 400),
        (b"GET /\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nhost: g\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"CONNECT g:80 HTTP/1.1\r\nhost: g\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nhost: g\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: g\r\nx: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nhost: g\r\n" + b"x: y\r\n" * 101 + b"\r\n", 431),
    ],
)
async def test_what_is_not_http_1_1_is_refused_with_a_clear_error_and_the_connection_ends(
    sent: bytes, status: int
) -> None:
    async with gateway(HandSubstrate()) as running, connection(running.port) as (reader, writer):
        writer.write(sent)
        answer = await read_answer(reader)
        assert await asyncio.wait_for(reader.read(), 60) == b""
    assert answer.status == status
    assert answer.fields["connection"] == "close"
    assert json.loads(answer.body)["error"]["message"]


async def test_a_bad_request_behind_good_ones_is_refused_in_its_turn() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(CHAT) + post(CHAT) + b"GET / HTTP/1.1\nbad\n\n")
            statuses = [(await read_answer(reader)).status for _ in range(3)]
            assert await asyncio.wait_for(reader.read(), 60) == b""
    assert statuses == [200, 200, 400]


async def test_a_bad_request_in_one_read_with_the_end_of_a_body_does_not_spoil_that_body() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            good = post(CHAT)
            writer.write(good[:-5])
            await until(lambda: any(one.current is not None for one in running.traffic.connections))
            writer.write(good[-5:] + b"GET / HTTP/1.1\nbad\n\n")
            answers = [await read_answer(reader) for _ in range(2)]
            assert await reader.read() == b""
    assert [a.status for a in answers] == [200, 400]


async def test_a_bad_chunk_ends_the_request_and_frees_its_place() -> None:
    async with gateway(HandSubstrate(ServiceView(config()))) as running:
        async with connection(running.port) as (reader, writer):
            writer.write(
                b"POST /v1/completions HTTP/1.1\r\nhost: qwen.team-a\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            writer.write(b"5\r\nhello\r\n")
            await writer.drain()
            await until(lambda: running.fleet.services[KEY].flow.depth == 1)
            writer.write(b"zz\r\n")
            assert (await read_answer(reader)).status == 400
        assert running.fleet.services[KEY].flow.depth == 0


async def test_connections_to_the_worker_are_used_again() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            for _ in range(10):
                writer.write(post(CHAT))
                assert (await read_answer(reader)).status == 200
            (endpoint,) = running.fleet.services[KEY].flow.endpoints
            assert running.fleet.services[KEY].pool(endpoint).opened == 1


async def test_bodies_behind_a_request_that_waits_are_not_read_until_their_turn() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    big = json.dumps({"model": "m", "max_tokens": 1, "padding": "x" * 16_000_000}).encode()
    async with (
        engine(tokens_per_second="0") as quick,
        gateway(substrate) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(post(CHAT))
        await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
        writer.write(post(big) + post(CHAT))
        (client,) = running.traffic.connections
        await until(lambda: bool(client.reader.requests) and client.reader.requests[0].received > 65536)
        await asyncio.sleep(0.2)
        assert sum(r.received for r in client.reader.requests) < 1_000_000
        substrate.show(ServiceView(config(), (worker(quick.port),)))
        assert [(await read_answer(reader)).status for _ in range(3)] == [200, 200, 200]
