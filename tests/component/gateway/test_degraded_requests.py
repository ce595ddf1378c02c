"""Answers get shorter while the queue is deep: what the worker gets, and what client and operator read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from tests.component.gateway.echo_worker import EchoWorker
from tests.component.gateway.harness import (
    KEY,
    Answer,
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
    until,
    worker,
)
from tidegate.domain.degradation import Degradation, Step
from tidegate.domain.service import ServiceView
from tidegate.gateway.server import Gateway

CHAT = "/v1/chat/completions"
STEPS = (Step(1, 128), Step(2, 96), Step(4, 64))


@contextlib.asynccontextmanager
async def serving(
    echo: EchoWorker, degradation: Degradation | None, log: Log | None = None, **changes: Any
) -> AsyncIterator[Gateway]:
    """A gateway with one service on ``echo``, of which one request at a time runs there."""
    async with echo.listening() as port:
        workers = (worker(port, ready=True), worker(port, uid="w1", ready=True))
        spec = config(degradation=degradation, **{"max_concurrency": 1, **changes})
        async with gateway(HandSubstrate(ServiceView(spec, workers[:1])), log) as running:
            yield running


async def ask(running: Gateway, body: bytes, path: str = CHAT, *fields: str, host: str = "g") -> Answer:
    async with connection(running.port) as (reader, writer):
        writer.write(post(body, path, *fields, host=host))
        return await read_answer(reader)


async def at_depths(running: Gateway, echo: EchoWorker, *bodies: bytes, **how: str) -> list[Answer]:
    """The answers to ``bodies``, which are asked one after the other while none of them is answered."""
    flow = running.fleet.services[KEY].flow
    tasks = []
    for depth, body in enumerate(bodies, 1):
        tasks.append(asyncio.create_task(ask(running, body, **how)))
        await until(lambda depth=depth: flow.depth == depth)  # type: ignore[misc]
    echo.go.set()
    return [await task for task in tasks]


async def test_each_depth_has_its_limit_and_the_client_the_operator_and_the_log_can_see_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    echo, log = EchoWorker(), Log()
    body = b'{"model":"m", "messages" : [{"max_tokens":9000}],"max_tokens": 500 }'
    with caplog.at_level(logging.INFO, "tidegate.gateway"):
        async with serving(echo, Degradation(200, STEPS), log) as running:
            answers = await at_depths(running, echo, *[body] * 5)
            counted = [metric(running, "gateway_degraded_total", tier=str(tier)) for tier in range(4)]
            assert running.traffic.held == 0
            assert running.fleet.services[KEY].flow.bytes_held == 0
    limits = [200, 128, 96, 96, 64]
    assert [got.body for got in echo.got] == [body.replace(b"500", b"%d" % limit) for limit in limits]
    assert [int(got.fields["content-length"]) for got in echo.got] == [len(got.body) for got in echo.got]
    told = ["0; max_tokens=200", "1; max_tokens=128", *["2; max_tokens=96"] * 2, "3; max_tokens=64"]
    assert [answer.fields["x-tidegate-degraded"] for answer in answers] == told
    lines = [json.loads(line) for line in log.data.splitlines()]
    assert [line["degraded"] for line in lines] == told
    assert [line["bytes_in"] for line in lines] == [len(body)] * 5
    assert counted == [1, 1, 2, 1]
    said = [message for message in caplog.messages if "Degradation tier" in message]
    assert said[0] == "team-a/qwen: Degradation tier 1 active (queue_depth=2): max_tokens=128"
    assert len([message for message in said if "active" in message]) <= 3


async def test_a_requests_own_smaller_limit_stands_and_one_without_a_limit_gets_the_tiers() -> None:
    echo = EchoWorker()
    bodies = (
        b'{"model":"m"}',
        b'{"model":"m","max_tokens":128}',
        b'{"model":"m"}',
        b'{"model":"m","max_tokens":null}',
    )
    async with serving(echo, Degradation(None, STEPS)) as running:
        answers = await at_depths(running, echo, *bodies)
    assert [got.body for got in echo.got] == [
        b'{"model":"m"}',
        b'{"model":"m","max_tokens":128}',
        b'{"max_tokens":96,"model":"m"}',
        b'{"model":"m","max_tokens":96}',
    ]
    assert ["x-tidegate-degraded" in answer.fields for answer in answers] == [False, False, True, True]


async def test_a_client_that_refuses_is_not_degraded_and_gets_429_as_usual() -> None:
    echo = EchoWorker()
    body = b'{"model":"m","max_tokens":500}'
    field = "x-tidegate-degrade: never"
    async with serving(echo, Degradation(200, STEPS), max_depth=2) as running:
        flow = running.fleet.services[KEY].flow
        tasks = [asyncio.create_task(ask(running, body, CHAT, field)) for _ in range(2)]
        await until(lambda: flow.depth == 2)
        refused = await ask(running, body, CHAT, field)
        echo.go.set()
        answers = [await task for task in tasks]
    assert refused.status == 429
    assert [got.body for got in echo.got] == [body] * 2
    assert not any(name.startswith("x-tidegate-") for got in echo.got for name in got.fields)
    assert not any("x-tidegate-degraded" in answer.fields for answer in answers)


async def test_any_other_wish_is_400_and_names_the_header() -> None:
    async with serving(EchoWorker(), None) as running:
        answer = await ask(running, b'{"model":"m"}', CHAT, "x-tidegate-degrade: always")
    assert answer.status == 400
    assert "x-tidegate-degrade: only never" in json.loads(answer.body)["error"]["message"]


async def test_a_body_by_host_is_degraded_by_the_depth_at_its_admission() -> None:
    echo = EchoWorker()
    body = b'{"max_completion_tokens":500,"max_tokens":400}'
    async with serving(echo, Degradation(None, STEPS), max_concurrency=9) as running:
        flow = running.fleet.services[KEY].flow
        async with connection(running.port) as (reader, writer):
            message = post(body, CHAT, host="qwen.team-a")
            first = asyncio.create_task(ask(running, body, host="qwen.team-a"))
            await until(lambda: flow.depth == 1)
            writer.write(message[:-5])
            await until(lambda: flow.reading == 1)
            rest = [asyncio.create_task(ask(running, body, host="qwen.team-a")) for _ in range(3)]
            await until(lambda: flow.depth == 5)
            writer.write(message[-5:])
            await until(lambda: len(echo.got) == 5)
            echo.go.set()
            answer = await read_answer(reader)
            await asyncio.gather(first, *rest)
    assert answer.fields["x-tidegate-degraded"] == "1; max_tokens=128"
    assert echo.got[-1].json() == {"max_completion_tokens": 128, "max_tokens": 128}


async def test_a_request_that_is_sent_again_is_sent_as_it_was_changed_and_counted_once() -> None:
    echo = EchoWorker(failures=1)
    echo.go.set()
    async with serving(echo, Degradation(200, ())) as running:
        answer = await ask(running, b'{"model":"m","max_tokens":500}')
        assert metric(running, "gateway_degraded_total", tier="0") == 1
        assert running.traffic.held == 0
    assert [got.body for got in echo.got] == [b'{"model":"m","max_tokens":200}'] * 2
    assert answer.fields["x-tidegate-degraded"] == "0; max_tokens=200"


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/rerank", "/tokenize", "/v1/audio/speech"])
async def test_what_generates_no_tokens_is_not_changed(path: str) -> None:
    echo = EchoWorker()
    echo.go.set()
    body = b'{"model":"m","max_tokens":500}'
    async with serving(echo, Degradation(1, ())) as running:
        answer = await ask(running, body, path)
    assert echo.got[0].body == body
    assert "x-tidegate-degraded" not in answer.fields


async def test_the_status_says_which_tier_is_active() -> None:
    echo = EchoWorker()
    async with serving(echo, Degradation(None, STEPS)) as running, httpx.AsyncClient(timeout=60) as client:
        flow = running.fleet.services[KEY].flow
        tasks = [asyncio.create_task(ask(running, b'{"model":"m"}')) for _ in range(3)]
        await until(lambda: flow.depth == 3)
        url = f"http://127.0.0.1:{running.admin_port}/status"
        deep = (await client.get(url)).json()["services"][0]["degradation"]
        echo.go.set()
        await asyncio.gather(*tasks)
        calm = (await client.get(url)).json()["services"][0]["degradation"]
    assert deep == {"tier": 2, "maxTokens": 96}
    assert calm == {"tier": 0, "maxTokens": None}


async def test_the_official_clients_answer_is_as_long_as_the_tier_allows() -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(degradation=Degradation(7, ())), (worker(quick.port),))
        async with (
            gateway(HandSubstrate(view)) as running,
            openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="k") as client,
        ):
            await ready(running)
            answer = await client.chat.completions.with_raw_response.create(
                model="team-a/qwen", messages=[{"role": "user", "content": "x"}], max_tokens=50
            )
    usage = answer.parse().usage
    assert usage is not None
    assert usage.completion_tokens == 7
    assert answer.headers["x-tidegate-degraded"] == "0; max_tokens=7"
