"""What is written down of a request: a line of the access log, its tokens, and metrics that agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    Log,
    Script,
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
from tidegate.gateway.server import Gateway

CHAT = {"model": "m", "messages": [{"role": "user", "content": "one two three"}], "max_tokens": 4}
STREAM = {**CHAT, "stream": True}
USAGE = b'{"choices":[],"usage":{"prompt_tokens":5,"total_tokens":12,"completion_tokens":7}}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def lines(log: Log) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.data.splitlines()]


@asynccontextmanager
async def before(script: Script, log: Log, **changes: Any) -> AsyncIterator[Gateway]:
    """A gateway before one worker that answers as ``script`` does."""
    async with scripted(script) as port:
        view = ServiceView(config(**changes), (worker(port),))
        async with gateway(HandSubstrate(view), log) as running:
            await ready(running)
            yield running


async def ask(running: Gateway, body: bytes = b'{"model": "m", "stream": true}') -> bytes:
    async with connection(running.port) as (reader, writer):
        writer.write(post(body))
        return (await read_answer(reader)).body


async def test_a_line_says_where_the_time_went_and_what_was_told_of_tokens() -> None:
    log = Log()
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(), (worker(quick.port),))
        async with gateway(HandSubstrate(view), log) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}/team-a/qwen/v1/chat/completions?key=hidden"
            answer = await client.post(url, json=CHAT, headers={"x-request-id": "mine"})
            sent = len(answer.request.content)
            prompt = answer.json()["usage"]["prompt_tokens"]
            kinds = ("prompt", "completion")
            told = [metric(running, "gateway_tokens_total", kind=kind) for kind in kinds]
    (line,) = lines(log)
    times = {name: line.pop(name) for name in ("time", "queue_wait", "first_byte", "total")}
    assert line == {
        "id": "mine",
        "outcome": "completed",
        "code": 200,
        "service": "team-a/qwen",
        "endpoint": f"127.0.0.1:{quick.port}",
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "m",
        "stream": False,
        "tries": 1,
        "cold_wait": 0.0,
        "prompt_tokens": prompt,
        "completion_tokens": 4,
        "cached_tokens": None,
        "bytes_in": sent,
        "reason": "",
        "degraded": "",
    }
    assert 0 <= times["queue_wait"] <= times["first_byte"] <= times["total"]
    assert told == [prompt, 4]


async def test_a_stream_tells_its_tokens_where_its_client_asked_and_null_where_not() -> None:
    log = Log()
    async with engine(tokens_per_second="4") as steady:  # so that no pause makes it look faster than 500
        view = ServiceView(config(), (worker(steady.port),))
        async with gateway(HandSubstrate(view), log) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            await client.post(url, json={**STREAM, "stream_options": {"include_usage": True}})
            await client.post(url, json=STREAM)
            rate = "gateway_generation_tokens_per_second"
            counted = metric(running, f"{rate}_count", start="warm")
            at_most = metric(running, f"{rate}_bucket", le="500.0")
    assert [line["completion_tokens"] for line in lines(log)] == [4, None]
    assert (counted, at_most) == (1, 1)


@pytest.mark.parametrize("together", [True, False])
async def test_tokens_are_read_however_the_worker_wrote_the_end_of_its_stream(together: bool) -> None:
    pieces = [b"data: " + data + b"\n\n" for data in (b"{}", USAGE, b"[DONE]")]
    chunks = [*(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for data in [b"".join((HEAD, *chunks))] if together else [HEAD, *chunks]:
            writer.write(data)
            await asyncio.sleep(0.01)  # so that each is a read of its own

    log = Log()
    async with before(script, log) as running:
        for _ in range(2):  # the second on a connection that was used before
            await ask(running)
    assert [(line["prompt_tokens"], line["completion_tokens"]) for line in lines(log)] == [(5, 7)] * 2


async def test_an_answer_without_usage_on_a_connection_that_told_one_tells_none() -> None:
    told = [HEAD, b"%x\r\ndata: %b\n\n\r\n" % (len(USAGE) + 8, USAGE), b"0\r\n\r\n"]
    answers = iter([told, [HEAD + b"a\r\ndata: {}\n\n\r\n0\r\n\r\n"]])

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for data in next(answers):
            writer.write(data)
            await asyncio.sleep(0.01)  # so that each is a read of its own

    log = Log()
    async with before(script, log) as running:
        await ask(running)
        assert await ask(running) == b"data: {}\n\n"
    assert [line["completion_tokens"] for line in lines(log)] == [7, None]


async def test_bytes_that_never_became_a_request_are_a_line_that_says_what_was_wrong() -> None:
    log = Log()
    async with gateway(HandSubstrate(ServiceView(config())), log) as running:
        async with connection(running.port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n")
            assert (await read_answer(reader)).status == 400
        assert running.traffic.books.nowhere.requests() == {("rejected_invalid", "400"): 1}
    (line,) = lines(log)
    assert (line["outcome"], line["code"], line["id"]) == ("rejected_invalid", 400, "")
    assert line["reason"] == "Host: sent more than once"
    assert line["service"] == line["path"] == ""


async def test_a_request_that_nobody_answered_has_no_first_byte_and_waited_for_a_start_all_along() -> None:
    log = Log()
    view = ServiceView(config(cold_start_timeout_seconds=0.05))
    async with gateway(HandSubstrate(view), log) as running:
        await ask(running)
    (line,) = lines(log)
    assert line["outcome"] == "evicted_cold_start_timeout"
    assert line["first_byte"] is line["prompt_tokens"] is None
    assert line["cold_wait"] == line["queue_wait"] >= 0.05
    assert (line["tries"], line["endpoint"]) == (0, "")


async def test_codes_that_only_a_worker_knows_share_one_series_for_each_hundred() -> None:
    codes = iter((599, 561, 200, 418))

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % next(codes))

    log = Log()
    async with before(script, log) as running:
        for _ in range(4):
            await ask(running)
        running.traffic.books.settle()
        counts = running.fleet.services[KEY].meters.requests()
    assert counts == {("completed", "5xx"): 2, ("completed", "200"): 1, ("completed", "418"): 1}
    assert [line["code"] for line in lines(log)] == [599, 561, 200, 418]


async def test_a_client_that_leaves_a_stream_is_a_line_with_the_tokens_told_so_far() -> None:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        piece = b"data: " + USAGE + b"\n\n"  # as with continuous_usage_stats
        writer.write(HEAD + b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(30)

    log = Log()
    async with before(script, log) as running:
        async with connection(running.port) as (reader, writer):
            writer.write(post(b'{"model": "m", "stream": true}'))
            await reader.readuntil(b"usage")
        await until(lambda: running.fleet.services[KEY].flow.depth == 0)
    (line,) = lines(log)
    assert (line["outcome"], line["code"], line["completion_tokens"]) == ("client_gone", 499, 7)


async def test_a_request_whose_accounts_fail_costs_no_other_its_line() -> None:
    served: list[Any] = []

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.extend(one.current for one in running.traffic.connections if one.current is not None)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(USAGE), USAGE))

    log = Log()
    async with before(script, log) as running:
        await ask(running)
        await ask(running)
        running.traffic.books.settle()
        good, bad = served
        bad.status = 1000  # such as no worker can send
        for one in (good, bad, good):
            running.traffic.books.ended(one)
        assert metric(running, "gateway_requests_total", outcome="completed") == 4
    assert len(lines(log)) == 4
