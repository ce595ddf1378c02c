"""Workers that end while requests run and come: told of beforehand, told of too late, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import httpx

from tests.component.gateway.harness import (
    KEY,
    Engine,
    HandSubstrate,
    config,
    engine,
    engine_says,
    gateway,
    metric,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceView
from tidegate.gateway.server import Gateway

UNARY = {"model": "m", "messages": [], "max_tokens": 4}
STREAM = {**UNARY, "max_tokens": 160, "stream": True}


def url(running: Gateway) -> str:
    return f"http://127.0.0.1:{running.port}/v1/chat/completions"


def http() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None))


async def stop(leaving: Engine) -> None:
    """SIGTERM, as from a kubelet; returns when the engine has ended."""
    leaving.process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(leaving.process.wait(), 60)


async def test_a_stream_on_the_only_worker_ends_by_itself_and_what_comes_meanwhile_waits_for_the_next() -> (
    None
):
    async with contextlib.AsyncExitStack() as stack:
        old = await stack.enter_async_context(engine(tokens_per_second="40"))
        substrate = HandSubstrate(ServiceView(config(), (worker(old.port, uid="old", ready=True),)))
        running = await stack.enter_async_context(gateway(substrate))
        client = await stack.enter_async_context(http())
        await ready(running)
        streams = [asyncio.create_task(client.post(url(running), json=STREAM)) for _ in range(10)]
        await engine_says(old.port, 'vllm:num_requests_running{model_name="m"} 10')
        leaving = worker(old.port, uid="old", ready=True, terminating=True)
        substrate.show(ServiceView(config(), (leaving,)))
        ending = asyncio.create_task(stop(old))
        late = [asyncio.create_task(client.post(url(running), json=UNARY)) for _ in range(20)]
        whole = await asyncio.gather(*streams)
        assert not any(task.done() for task in late)
        await ending
        new = await stack.enter_async_context(engine())
        substrate.show(ServiceView(config(), (worker(new.port, uid="new"),)))
        answers = await asyncio.gather(*late)
        assert [answer.status_code for answer in answers] == [200] * 20
        assert all(stream.text.rstrip().endswith("data: [DONE]") for stream in whole)
        assert metric(running, "gateway_requests_total", outcome="completed") == 30


async def test_no_request_fails_when_a_worker_stops_listening_before_anybody_was_told() -> None:
    """Its listener goes with requests that wait to be accepted, and with idle connections in use."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(engine(request_seconds="0.01"))
        second = await stack.enter_async_context(engine(request_seconds="0.01"))
        view = ServiceView(config(), (worker(first.port, uid="a"), worker(second.port, uid="b")))
        running = await stack.enter_async_context(gateway(HandSubstrate(view)))
        client = await stack.enter_async_context(http())
        await until(lambda: len(running.fleet.services[KEY].flow.endpoints) == 2)
        statuses: list[int] = []
        over = asyncio.Event()

        async def ask() -> None:
            while not over.is_set():
                statuses.append((await client.post(url(running), json=UNARY)).status_code)

        asking = [asyncio.create_task(ask()) for _ in range(40)]
        await until(lambda: len(statuses) > 200)
        await stop(first)
        seen = len(statuses)
        await until(lambda: len(statuses) > seen + 200)
        over.set()
        await asyncio.gather(*asking)
    assert set(statuses) == {200}


async def test_when_the_only_worker_is_killed_only_streams_that_had_begun_end_and_with_an_event() -> None:
    async with contextlib.AsyncExitStack() as stack:
        old = await stack.enter_async_context(engine(tokens_per_second="20"))
        substrate = HandSubstrate(ServiceView(config(), (worker(old.port, ready=True),)))
        running = await stack.enter_async_context(gateway(substrate))
        client = await stack.enter_async_context(http())
        await ready(running)
        begun: list[str] = []

        async def stream() -> str:
            async with client.stream("POST", url(running), json=STREAM) as answer:
                text = ""
                async for piece in answer.aiter_text():
                    if not text:
                        begun.append(piece)
                    text += piece
                return text

        streams = [asyncio.create_task(stream()) for _ in range(8)]
        unary = [
            asyncio.create_task(client.post(url(running), json={**STREAM, "stream": False}))
            for _ in range(12)
        ]
        await engine_says(old.port, 'vllm:num_requests_running{model_name="m"} 20')
        await until(lambda: len(begun) == 8)
        await old.kill()
        cut = await asyncio.gather(*streams)
        new = await stack.enter_async_context(engine())
        substrate.show(ServiceView(config(), (worker(new.port, incarnation=1),)))
        answers = await asyncio.gather(*unary)
        assert [answer.status_code for answer in answers] == [200] * 12
        assert ['"code": "worker_died"' in text for text in cut] == [True] * 8
        assert not any("[DONE]" in text for text in cut)
        assert metric(running, "gateway_requests_total", outcome="completed") == 12


async def test_a_request_outlives_more_workers_than_it_has_tries_where_their_ends_were_asked_for() -> None:
    """As on a rollout of engines that end what runs when they are told to stop."""

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        met.set()
        await reader.read()

    met = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        substrate = HandSubstrate(ServiceView(config(max_concurrency=1)))
        running = await stack.enter_async_context(gateway(substrate))
        client = await stack.enter_async_context(http())
        asked = asyncio.create_task(client.post(url(running), json=UNARY))
        for number in range(running.traffic.settings.max_tries + 2):
            async with scripted(hang) as port:
                one = worker(port, uid=f"w{number}", ready=True)
                substrate.show(ServiceView(config(max_concurrency=1), (one,)))
                await asyncio.wait_for(met.wait(), 60)
                met.clear()
                leaving = worker(port, uid=f"w{number}", ready=True, terminating=True)
                substrate.show(ServiceView(config(max_concurrency=1), (leaving,)))
        last = await stack.enter_async_context(engine())
        substrate.show(ServiceView(config(max_concurrency=1), (worker(last.port, uid="last"),)))
        assert (await asked).status_code == 200


async def test_a_request_that_ends_every_worker_has_only_its_tries_although_the_restarts_are_told_first() -> (
    None
):
    """A pod whose engine begins anew is the same one: nobody has asked for its end."""

    async def falls(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(1)
        again = worker(port, incarnation=len(met), ready=True)
        substrate.show(ServiceView(config(max_concurrency=1), (again,)))
        if len(met) <= tries:
            writer.close()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    met: list[int] = []
    async with scripted(falls) as port:
        substrate = HandSubstrate(ServiceView(config(max_concurrency=1), (worker(port, ready=True),)))
        async with gateway(substrate) as running, http() as client:
            tries = running.traffic.settings.max_tries
            refused = await client.post(url(running), json=UNARY)
            assert (refused.status_code, len(met)) == (502, tries)
