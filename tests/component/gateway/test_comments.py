"""Comments in a stream while its request waits, and how such a stream goes on and ends."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import httpx
import openai
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    Log,
    config,
    connection,
    engine,
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

STREAM = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3, "stream": True}
BODY = json.dumps(STREAM).encode()
EACH_SECOND = "x-tidegate-comments: 1"
PATH = "/v1/chat/completions"
EVENTS = b'data: {"a": 1}\n\ndata: [DONE]\n\n'
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
HALVES = b"%x\r\n%b\r\n" % (10, EVENTS[:10]), b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVENTS) - 10, EVENTS[10:])
FRAMINGS = {
    "chunked": SSE + b"transfer-encoding: chunked\r\n\r\n" + HALVES[0] + HALVES[1],
    "length": SSE + b"content-length: %d\r\n\r\n" % len(EVENTS) + EVENTS,
    "close": SSE + b"connection: close\r\n\r\n" + EVENTS,
}
Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def late(answer: bytes, go: asyncio.Event) -> Answers:
    """A worker that sends ``answer`` as soon as it may, and closes where that is the answer's end."""

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer)
        if b"connection: close" in answer:
            writer.close()

    return script


def comments(body: bytes) -> list[bytes]:
    """The comments that a stream begins with."""
    return [line for line in body.splitlines() if line.startswith(b": ")]


def events(body: bytes) -> bytes:
    """A stream without its comments."""
    blocks = body.split(b"\n\n")
    return b"\n\n".join(block for block in blocks if not block.startswith(b": "))


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_stream_that_waits_gets_comments_and_then_the_workers_events(
    framing: str, version: str
) -> None:
    go = asyncio.Event()
    async with scripted(late(FRAMINGS[framing], go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND).replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
            head = await reader.readuntil(b"\r\n\r\n")
            first = await reader.readuntil(b"\n\n")
            await reader.readuntil(b"\n\n")  # a second comment
            go.set()
            if version == "1.0":
                rest = await asyncio.wait_for(reader.read(), 60)
                assert b"transfer-encoding" not in head
                assert rest == EVENTS
            else:
                rest = await _chunked_rest(reader)
                writer.write(post(BODY, PATH))  # the connection stays
                assert framing == "close" or (await read_answer(reader)).body == EVENTS
            assert metric(running, "gateway_requests_total", outcome="completed", code="200") >= 1
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"text/event-stream" in head
    assert first.partition(b": ")[2].endswith(b"a worker has the request\n\n")
    assert rest == EVENTS


async def _chunked_rest(reader: asyncio.StreamReader) -> bytes:
    """What follows in a chunked body, after the line end of the present chunk."""
    body = b""
    assert await reader.readexactly(2) == b"\r\n"
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    assert await reader.readexactly(2) == b"\r\n"
    return body


async def test_a_refusal_after_a_comment_is_an_error_event_and_the_books_have_its_status() -> None:
    log = Log()
    substrate = HandSubstrate(ServiceView(config(cold_start_timeout_seconds=2.5)))
    async with gateway(substrate, log) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}{PATH}"
        got = await client.post(url, json=STREAM, headers={"x-tidegate-comments": "1"})
        assert running.fleet.services[KEY].flow.depth == 0
        assert (
            metric(running, "gateway_requests_total", outcome="evicted_cold_start_timeout", code="503") == 1
        )
    said = comments(got.content)
    assert said
    assert all(re.fullmatch(rb": waiting, [1-9] s; in line: 1, workers: idle", each) for each in said)
    error = json.loads(events(got.content).removeprefix(b"data: "))["error"]
    assert (got.status_code, error["code"]) == (200, "cold_start_timeout")
    assert json.loads(log.data)["code"] == 503


async def test_a_refusal_before_the_first_comment_has_its_own_status() -> None:
    substrate = HandSubstrate(ServiceView(config(cold_start_timeout_seconds=0.2)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}{PATH}"
        got = await client.post(url, json=STREAM, headers={"x-tidegate-comments": "1"})
    assert (got.status_code, got.json()["error"]["code"]) == (503, "cold_start_timeout")


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_workers_error_after_a_comment_is_an_event_with_its_words(*, chunked: bool) -> None:
    body = b'{"error": {"message": "no such\\nadapter", "type": "BadRequestError", "code": 400}}'
    framing = b"content-length: %d\r\n\r\n%b" % (len(body), body)
    if chunked:
        framing = b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    log, go = Log(), asyncio.Event()
    async with scripted(late(b"HTTP/1.1 400 Bad\r\n" + framing, go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate, log) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
            assert metric(running, "gateway_requests_total", outcome="completed", code="400") == 1
    assert rest == b"data: " + body + b"\n\n"
    assert json.loads(log.data)["code"] == 400


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 500 Wrong\r\ncontent-length: 5\r\n\r\nwrong", "wrong"),
        (b"HTTP/1.1 500 Deep\r\ncontent-length: 5000\r\n\r\n" + b"[" * 5000, "[" * 1000),
        (b"HTTP/1.1 204 Empty\r\n\r\n", "the worker answered without a body"),
    ],
)
async def test_a_workers_answer_that_no_stream_can_be_is_told_in_openais_shape(
    answer: bytes, message: str
) -> None:
    go = asyncio.Event()
    async with scripted(late(answer, go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
    error = json.loads(rest.removeprefix(b"data: "))["error"]
    assert (error["code"], error["message"]) == ("worker_answered", message)


async def test_json_from_a_worker_that_does_not_stream_is_one_event() -> None:
    go, body = asyncio.Event(), b'{\n"id": "1",\n"choices": []\n}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with scripted(late(answer + body, go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
    lines = rest.removesuffix(b"\n\n").split(b"\n")
    assert b"\n".join(line.removeprefix(b"data: ") for line in lines) == body


async def test_an_answer_too_long_for_an_event_is_an_error_and_is_not_held() -> None:
    go, size = asyncio.Event(), 4 * 1024 * 1024
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    async with scripted(late(answer, go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
            assert metric(running, "gateway_requests_total", outcome="worker_failed", code="502") == 1
            assert metric(running, "gateway_requests_total") == 1
    assert json.loads(rest.removeprefix(b"data: "))["error"]["code"] == "worker_answered"


@pytest.mark.parametrize("framing", ["chunked", "length"])  # else the end of the connection is no break
async def test_a_worker_that_dies_in_a_stream_which_began_with_comments_ends_it_with_an_event(
    framing: str,
) -> None:
    go = asyncio.Event()
    whole = FRAMINGS[framing]
    cut = whole[: whole.index(HALVES[0]) + len(HALVES[0])] if framing == "chunked" else whole[:-5]

    async def die(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(cut)
        await writer.drain()
        writer.close()

    async with scripted(die) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
            assert metric(running, "gateway_requests_total", outcome="worker_died", code="502") == 1
    last = rest.removesuffix(b"\n\n").split(b"\n\n")[-1]
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "worker_died"


async def test_the_comments_do_not_hinder_a_second_sending() -> None:
    calls, go = 0, asyncio.Event()

    async def once_bad(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        await go.wait()
        if calls == 1:
            writer.close()
        else:
            writer.write(FRAMINGS["chunked"])

    async with scripted(once_bad) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(post(BODY, PATH, EACH_SECOND))
            await reader.readuntil(b"\n\n")
            go.set()
            rest = await _chunked_rest(reader)
    assert (events(rest), calls) == (EVENTS, 2)


async def test_a_request_without_stream_and_one_without_the_header_get_no_comments() -> None:
    go = asyncio.Event()
    answer = b"HTTP/1.1 400 Bad\r\ncontent-length: 2\r\n\r\n{}"
    async with scripted(late(answer, go)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url, fields = f"http://127.0.0.1:{running.port}{PATH}", {"x-tidegate-comments": "1"}
            asked = [
                asyncio.create_task(client.post(url, json={**STREAM, "stream": False}, headers=fields)),
                asyncio.create_task(client.post(url, json=STREAM)),
            ]
            await until(lambda: running.fleet.services[KEY].flow.in_flight == 2)
            await asyncio.sleep(1.5)  # longer than to the first comment
            go.set()
            answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [400, 400]


@pytest.mark.parametrize("value", ["0", "61", "x", "", "1.5", "-1", "01", "1, 2"])
async def test_a_number_of_seconds_that_is_none_is_refused_by_its_headers_name(value: str) -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        url = f"http://127.0.0.1:{running.port}{PATH}"
        got = await client.post(url, json=STREAM, headers={"x-tidegate-comments": value})
    assert got.status_code == 400
    assert got.json()["error"]["message"].startswith("x-tidegate-comments: ")


async def test_the_worker_neither_hears_of_comments_nor_may_it_encode_its_answer() -> None:
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"POST"):
            heard = head
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            fields = ("Accept-Encoding: gzip", EACH_SECOND, "accept-encoding: br", "x-kept: 1")
            writer.write(post(BODY, PATH, *fields))
            await read_answer(reader)
    assert b"x-tidegate-comments" not in heard.lower()
    assert b"accept-encoding" not in heard.lower()
    assert b"\r\nx-kept: 1\r\n" in heard


async def test_the_official_client_reads_a_stream_that_began_with_comments() -> None:
    async with engine() as late_one:
        substrate = HandSubstrate(ServiceView(config()))
        async with gateway(substrate) as running:
            url = f"http://127.0.0.1:{running.port}/v1"
            client = openai.AsyncOpenAI(
                base_url=url, api_key="none", default_headers={"x-tidegate-comments": "1"}
            )
            async with client, asyncio.timeout(120):
                asked = asyncio.create_task(
                    client.chat.completions.create(
                        model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=3, stream=True
                    )
                )
                stream = await asked  # its head came with the first comment: no worker is there yet
                assert running.fleet.services[KEY].flow.waiting == 1
                substrate.show(ServiceView(config(), (worker(late_one.port),)))
                parts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(parts).strip()
