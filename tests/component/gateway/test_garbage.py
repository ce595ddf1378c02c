"""What requests leave behind in memory: nothing."""

from __future__ import annotations

import asyncio
import gc
import json

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
    until,
    worker,
)
from tidegate.domain.service import ServiceView
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.exchange import Exchange
from tidegate.gateway.request_reader import RequestReader
from tidegate.gateway.upstream import Upstream

CHAT = json.dumps({"model": "m", "max_tokens": 2}).encode()


async def test_ended_requests_and_connections_need_no_garbage_collector() -> None:
    """Without cycles they go at once, and Python never has to stop the streams to look for them."""
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate, upstream_idle_timeout=0.0) as running:
            await ready(running)
            gc.collect()
            gc.disable()
            try:
                for sent in (post(CHAT), post(CHAT, "/team-a/qwen/v1/completions"), b"GET / HTTP/1.1\n\n"):
                    async with connection(running.port) as (reader, writer):
                        writer.write(sent[:60])
                        await asyncio.sleep(0.001)
                        writer.write(sent[60:])
                        await read_answer(reader)
                await until(lambda: not running.traffic.connections and not _alive())
            finally:
                gc.enable()
            assert running.fleet.services[KEY].flow.depth == 0


def _alive() -> list[object]:
    return [
        x for x in gc.get_objects() if isinstance(x, (ClientConnection, RequestReader, Exchange, Upstream))
    ]
