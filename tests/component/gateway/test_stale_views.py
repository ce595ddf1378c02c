"""What a gateway sees of its workers is old: who waits is answered, and nobody is woken in vain."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    engine,
    gateway,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceKey, ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}


def waking(substrate: HandSubstrate, engines: contextlib.AsyncExitStack) -> None:
    """From now on a wake starts an engine, which is seen at once."""

    async def start(_: ServiceKey) -> None:
        started = await engines.enter_async_context(engine())
        substrate.show(ServiceView(config(), (worker(started.port, uid="w1"),)))

    substrate.on_wake = start


async def test_when_the_end_of_a_worker_that_has_gone_is_seen_another_is_woken_for_who_waits() -> None:
    async with contextlib.AsyncExitStack() as engines:
        gone = await engines.enter_async_context(engine())
        seen = worker(gone.port, ready=True)
        substrate = HandSubstrate(ServiceView(config(), (seen,)))
        waking(substrate, engines)
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            await gone.kill()
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
            assert substrate.wakes == [], "it may yet come"
            substrate.show(ServiceView(config(), (worker(gone.port, ready=False, terminating=True),)))
            assert (await asked).status_code == 200
    assert substrate.wakes == [KEY]


async def test_a_worker_that_is_coming_and_was_scaled_away_is_replaced_when_its_end_is_seen() -> None:
    async with contextlib.AsyncExitStack() as engines:
        substrate = HandSubstrate(ServiceView(config(), (worker(1, host="", stage="created"),)))
        waking(substrate, engines)
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
            assert substrate.wakes == []
            substrate.show(ServiceView(config()))
            assert (await asked).status_code == 200
    assert substrate.wakes == [KEY]


async def test_a_get_whose_worker_goes_while_it_waits_wakes_nobody_and_takes_what_a_post_wakes() -> None:
    """It was let in while a worker was there; a browser or a scraper starts none, whatever happens."""
    async with contextlib.AsyncExitStack() as engines:
        busy, free = asyncio.Event(), asyncio.Event()

        async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            busy.set()
            await free.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        port = await engines.enter_async_context(scripted(hold))
        alone = config(max_concurrency=1)
        substrate = HandSubstrate(ServiceView(alone, (worker(port, ready=True),)))
        waking(substrate, engines)
        async with gateway(substrate, wake_interval=0.01) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            flow, url = running.fleet.services[KEY].flow, f"http://127.0.0.1:{running.port}"
            first = asyncio.create_task(client.post(f"{url}/v1/chat/completions", json=CHAT))
            await busy.wait()
            asked = asyncio.create_task(client.get(f"{url}/team-a/qwen/metadata"))
            await until(lambda: flow.waiting == 1)
            substrate.show(ServiceView(alone))
            free.set()
            assert (await first).status_code == 200
            sweeps = running.fleet.services[KEY]
            for _ in range(20):
                sweeps.sweep(0.0)
                await asyncio.sleep(0.01)
            assert (flow.waiting, substrate.wakes) == (1, [])
            posted = await client.post(f"{url}/v1/chat/completions", json=CHAT)
            assert posted.status_code == 200
            assert (await asked).status_code == 404, "the engine's own answer: it knows no such path"
    assert substrate.wakes == [KEY]
