"""A rollout that replaces all workers: between the last old and the first new one, requests are held."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from tests.component.gateway.harness import KEY, HandSubstrate, config, engine, gateway, ready, until, worker
from tidegate.domain.service import ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}


async def test_requests_between_the_last_old_worker_and_the_first_new_one_are_held_and_answered() -> None:
    async with contextlib.AsyncExitStack() as stack:
        old = await stack.enter_async_context(engine())
        substrate = HandSubstrate(ServiceView(config(), (worker(old.port, uid="old", ready=True),)))
        running = await stack.enter_async_context(gateway(substrate))
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        await ready(running)
        leaving = worker(old.port, uid="old", ready=True, terminating=True)
        substrate.show(ServiceView(config(), (leaving,)))
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        asked = [asyncio.create_task(client.post(url, json=CHAT)) for _ in range(3)]
        await until(lambda: running.fleet.services[KEY].flow.depth == 3)
        substrate.show(ServiceView(config()))  # the old one is gone, and nobody is there
        await until(lambda: len(substrate.wakes) > 0)  # which a Deployment with replicas does not heed
        assert not any(task.done() for task in asked)
        new = await stack.enter_async_context(engine())
        substrate.show(ServiceView(config(), (worker(new.port, uid="new"),)))
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * 3
