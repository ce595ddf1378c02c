"""A request through the gateway, and a probe of a pod: bare connections, so that nothing hides a delay."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from tidegate.resources.names import WORKER_PORT

GATEWAY_PORT = 8080
BUDGET = 120.0  # seconds until an answer
PROBE_SECONDS = 1.0  # for one probe
READINESS = "/v1/models"


@dataclass(frozen=True)
class Answer:
    """When its first byte came (time.perf_counter), and its status."""

    first_byte: float
    status: int


async def ask(gateway: str, namespace: str, name: str) -> Answer:
    """One chat request of one token to a service. TimeoutError after BUDGET."""
    messages = [{"role": "user", "content": "Tell me of the tide."}]
    body = json.dumps({"model": name, "messages": messages, "max_tokens": 1}).encode()
    head = (
        f"POST /{namespace}/{name}/v1/chat/completions HTTP/1.1\r\nhost: {gateway}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    async with asyncio.timeout(BUDGET):
        reader, writer = await asyncio.open_connection(gateway, GATEWAY_PORT)
        try:
            writer.write(head.encode() + body)
            begun = await reader.read(1)
            first_byte = time.perf_counter()
            line = begun + await reader.readline()
            await reader.read()
        finally:
            writer.close()
    return Answer(first_byte, int(line.split()[1]))


async def answers(host: str, every: float) -> float:
    """When the pod's first 200 came (time.perf_counter); it is asked every so many seconds."""
    while True:
        begun = time.perf_counter()
        if await _probe(host):
            return time.perf_counter()
        await asyncio.sleep(max(0.0, begun + every - time.perf_counter()))


async def _probe(host: str) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, WORKER_PORT)
            try:
                writer.write(
                    f"GET {READINESS} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode()
                )
                return b" 200 " in await reader.readline()
            finally:
                writer.transport.abort()
    except OSError:  # refused, reset, or too slow
        return False
