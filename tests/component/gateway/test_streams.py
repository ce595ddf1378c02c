"""Answers on their way: untouched, at the client's pace, and ended clearly when a side goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json

import httpx

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    Log,
    config,
    connection,
    engine,
    engine_says,
    gateway,
    metric,
    post,
    read_answer,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
STREAM = {**CHAT, "stream": True}
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_a_stream_passes_byte_for_byte_with_the_workers_own_fields() -> None:
    events = [b"data: %d\r\n\r\n" % number for number in range(20)]

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE.replace(b"\r\n\r\n", b"\r\nX-Own: kept \r\nKeep-Alive: timeout=5\r\n\r\n"))
        for event in events:
            writer.write(b"%x;ext=1\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=STREAM)
    assert got.content == b"".join(events)
    assert got.headers["x-own"] == "kept"
    assert "keep-alive" not in got.headers
    assert got.headers["x-request-id"]


async def test_a_client_that_leaves_frees_its_slot_and_stops_the_engine() -> None:
    async with engine(tokens_per_second="50") as busy:
        substrate = HandSubstrate(ServiceView(config(), (worker(busy.port),)))
        async with gateway(substrate) as running:
            await ready(running)
            async with connection(running.port) as (reader, writer):
                writer.write(post(json.dumps({**STREAM, "max_tokens": 100_000}).encode()))
                await reader.readuntil(b"data: ")
            await until(lambda: running.fleet.services[KEY].flow.depth == 0)
            await engine_says(busy.port, 'vllm:num_requests_running{model_name="m"} 0')
            assert metric(running, "gateway_requests_total", outcome="client_gone", code="499") == 1


async def test_a_client_that_leaves_while_it_waits_gives_its_place_to_the_next() -> None:
    substrate = HandSubstrate(ServiceView(config(max_depth=1)))
    async with gateway(substrate) as running:
        for _ in range(3):
            async with connection(running.port) as (_reader, writer):
                writer.write(post(json.dumps(CHAT).encode()))
                await until(lambda: running.fleet.services[KEY].flow.depth == 1)
            await until(lambda: running.fleet.services[KEY].flow.depth == 0)


async def test_a_worker_killed_in_the_middle_of_a_stream_ends_it_with_an_error_event() -> None:
    async with engine(tokens_per_second="50") as dying:
        substrate = HandSubstrate(ServiceView(config(), (worker(dying.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(json.dumps({**STREAM, "max_tokens": 100_000}).encode()))
            await reader.readuntil(b"word3")
            await dying.kill()
            rest = (await asyncio.wait_for(reader.read(), 60)).decode()
            assert metric(running, "gateway_requests_total", outcome="worker_died") == 1
            assert running.fleet.services[KEY].flow.depth == 0
    event = rest[rest.index('data: {"error"') :].partition("\r\n")[0]
    assert json.loads(event.removeprefix("data: "))["error"]["code"] == "worker_died"
    assert rest.endswith("\r\n0\r\n\r\n")  # the chunked body itself is whole


async def test_an_answer_that_is_no_stream_and_breaks_off_is_cut_so_that_the_client_sees_it() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this")
        await writer.drain()
        writer.close()

    log = Log()
    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate, log) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(json.dumps(CHAT).encode()))
            await reader.readuntil(b"\r\n\r\n")
            try:
                body = await reader.read()
            except ConnectionError:
                body = b""
            assert len(body) < 1000
            assert metric(running, "gateway_requests_total", outcome="worker_died", code="502") == 1
            assert metric(running, "gateway_requests_total") == 1
    line = json.loads(log.data)
    assert (line["outcome"], line["code"]) == ("worker_died", 502)


async def test_a_chunk_that_breaks_off_inside_is_not_followed_by_an_event() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"64\r\ndata: half")
        await writer.drain()
        writer.close()

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(json.dumps(STREAM).encode()))
            await reader.readuntil(b"\r\n\r\n")
            try:
                body = await reader.read()
            except ConnectionError:
                body = b""
            assert b"error" not in body


async def test_a_request_whose_worker_fails_before_it_answers_is_sent_again() -> None:
    calls = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            writer.close()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port, ready=True),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            got = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
            assert running.fleet.services[KEY].flow.depth == 0
    assert (got.status_code, got.content, calls) == (200, b"ok", 2)


async def test_a_request_that_every_worker_fails_is_502_after_three_tries() -> None:
    calls = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
    assert (got.status_code, got.json()["error"]["code"], calls) == (502, "worker_failed", 3)


async def test_a_worker_that_refuses_connections_is_left_until_a_probe_answers() -> None:
    """Ready in the substrate's eyes, and gone: the request goes to the other one and is answered."""
    async with engine() as good, engine() as gone:
        await gone.kill()
        workers = (worker(gone.port, uid="gone", ready=True), worker(good.port, uid="good", ready=True))
        async with (
            gateway(HandSubstrate(ServiceView(config(), workers))) as running,
            httpx.AsyncClient(timeout=60) as c,
        ):
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            answers = [await c.post(url, json=CHAT) for _ in range(4)]
            left = [e.key.uid for e in running.fleet.services[KEY].flow.endpoints]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert left == ["good"]


async def test_an_idle_connection_that_the_worker_closes_under_a_request_costs_it_no_try() -> None:
    """Each connection answers once, and closes when it is used again: the race of a keep-alive limit."""
    used: set[asyncio.StreamWriter] = set()  # themselves: a number of one that is gone may come again

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer in used:
            writer.close()
        else:
            used.add(writer)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate, max_tries=1) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            answers = [await client.post(url, json=CHAT) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5


async def test_a_client_that_leaves_before_the_answer_begins_stops_the_engine_too() -> None:
    async with engine(request_seconds="600") as busy:
        substrate = HandSubstrate(ServiceView(config(), (worker(busy.port),)))
        async with gateway(substrate) as running:
            await ready(running)
            async with connection(running.port) as (_, writer):
                writer.write(post(json.dumps(CHAT).encode()))
                await engine_says(busy.port, 'vllm:num_requests_running{model_name="m"} 1')
            await engine_says(busy.port, 'vllm:num_requests_running{model_name="m"} 0')
            assert running.fleet.services[KEY].flow.depth == 0


async def test_a_client_that_does_not_read_makes_the_worker_wait_and_the_gateway_hold_little() -> None:
    sent = 0

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n")
        for _piece in range(1024):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(post(json.dumps(CHAT).encode()))
            before = -1
            while sent != before:  # until nothing moves any more
                before = sent
                await asyncio.sleep(0.3)
            stuck = sent
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len((await read_answer(reader)).body) == 67108864
    assert stuck < 24 * 1024 * 1024  # the kernel's buffers on three hops; not the answer


async def test_a_client_of_http_1_0_gets_a_stream_without_chunks() -> None:
    async with engine() as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            body = json.dumps(STREAM).encode()
            writer.write(
                b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body) + body
            )
            whole = await asyncio.wait_for(reader.read(), 60)
    head, _, rest = whole.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert rest.startswith(b"data: {")
    assert rest.endswith(b"data: [DONE]\n\n")


async def test_a_draining_worker_is_asked_once_and_its_request_waits_for_another() -> None:
    """It still answers probes, and the substrate still calls it ready."""
    asked = 0

    async def drain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.write(b"HTTP/1.1 503 Busy\r\nX-Tidegate-Draining: 1\r\ncontent-length: 0\r\n\r\n")

    async with scripted(drain) as leaving, engine(tokens_per_second="0") as next_one:
        old = worker(leaving, uid="old", ready=True)
        substrate = HandSubstrate(ServiceView(config(), (old,)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            waiting = [asyncio.create_task(client.post(url, json=CHAT)) for _ in range(5)]
            await until(lambda: running.fleet.services[KEY].flow.waiting == 5)
            substrate.show(ServiceView(config(), (old, worker(next_one.port, uid="new"))))
            answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert asked <= 5  # those that were on their way when it was learnt


async def test_what_takes_the_place_of_a_draining_worker_at_its_address_is_used() -> None:
    """Without a cluster nobody tells of a restart: the address fails a probe first, and then answers one."""

    async def drain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nx-tidegate-draining: 1\r\ncontent-length: 0\r\n\r\n")

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with contextlib.AsyncExitStack() as old:
        port = await old.enter_async_context(scripted(drain))
        async with gateway(HandSubstrate(ServiceView(config(), (worker(port),)))) as running:
            await ready(running)
            async with httpx.AsyncClient(timeout=60) as client:
                url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
                asked = asyncio.create_task(client.post(url, json=CHAT))
                service = running.fleet.services[KEY]
                await until(lambda: service.flow.waiting == 1)
                await old.aclose()
                await until(lambda: not service.drains)
                async with scripted(serve, port):
                    assert (await asked).content == b"ok"
