"""A gateway's process between workers that do everything wrong and clients that come and go as they like:
each request has exactly one ending, the same in the client's eyes and in the gateway's books."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.component.gateway.faulty_worker import FAULTS, FaultyWorkers
from tests.component.gateway.harness import read_answer
from tests.component.gateway.test_process import Running, document, process

CLIENTS, EACH = 20, 25
LIMITS = ("--connect-timeout", "1", "--first-byte-timeout", "2.5", "--silence-timeout", "2.5")
SPEC = """
  engine: {maxConcurrency: 8}
  queue: {maxDepth: 64, waitTimeoutSeconds: 15, executionTimeoutSeconds: 15}
  scaling: {coldStartTimeoutSeconds: 15}
"""
# What a client may have seen, by the outcome that the access log has; for those that stayed.
SEEN = {
    "completed": {"whole"},
    "worker_failed": {"worker_failed"},
    "worker_died": {"worker_died", "cut"},
    "execution_timeout": {"execution_timeout", "cut"},
    "evicted_queue_timeout": {"queue_timeout"},
    "evicted_cold_start_timeout": {"cold_start_timeout"},
}


@dataclass(frozen=True)
class Seen:
    """How a request ended in its client's eyes."""

    what: str  # whole, cut, gone (the client left), or an error's code
    status: int


async def ask(port: int, name: str, chance: random.Random) -> Seen:
    """One request on a connection of its own, by a client of some kind."""
    stream = chance.random() < 0.5
    filler = "x" * chance.choice((10, 2000, 300_000))
    body = json.dumps({"model": "m", "stream": stream, "prompt": filler}).encode()
    fields = f"host: g\r\nx-request-id: {name}\r\ncontent-length: {len(body)}\r\nconnection: close"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2048)
    try:
        writer.write(f"POST /v1/completions HTTP/1.1\r\n{fields}\r\n\r\n".encode())
        leaves = chance.choice(("never",) * 6 + ("in the body", "waiting", "in the answer"))
        if leaves == "in the body":
            writer.write(body[: len(body) // 2])
            await writer.drain()
            return Seen("gone", 0)
        writer.write(body)
        if leaves == "waiting":
            await asyncio.sleep(chance.random() * 0.05)
            return Seen("gone", 0)
        return await _read(reader, leaves, slow=chance.random() < 0.2)
    finally:
        if chance.random() < 0.5:
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, leaves: str, *, slow: bool) -> Seen:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split()[1])
    if leaves == "in the answer":
        return Seen("gone", 0)
    whole = asyncio.StreamReader(limit=1 << 24)
    whole.feed_data(head)
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1024 if slow else 65536):
            whole.feed_data(data)
            await asyncio.sleep(0.001 if slow else 0)
    whole.feed_eof()
    try:
        body = (await read_answer(whole)).body
    except asyncio.IncompleteReadError:
        return Seen("cut", status)
    return _judge(status, body)


def _judge(status: int, body: bytes) -> Seen:
    """A whole answer: the worker's, or an error of the gateway as its body or its last event."""
    last = body.removesuffix(b"\n\n").rpartition(b"\n\n")[2].removeprefix(b"data: ")
    if last.startswith(b'{"error"'):
        return Seen(json.loads(last)["error"]["code"], status)
    return Seen("whole", status)


async def every_client(port: int, seed: int) -> dict[str, Seen]:
    """What each request came to, by its id."""
    seen: dict[str, Seen] = {}

    async def client(number: int) -> None:
        for turn in range(EACH):
            name = f"r-{number}-{turn}"
            chance = random.Random(f"{seed} {name}")  # noqa: S311 - a seed, no secret
            async with asyncio.timeout(120):
                seen[name] = await ask(port, name, chance)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return seen


async def books(running: Running) -> Counter[str]:
    """Requests by outcome, once nothing waits or runs any more."""
    url = f"http://127.0.0.1:{running.admin_port}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as client, asyncio.timeout(120):
        service = {"depth": 1, "inFlight": 1, "waiting": 1, "bytesHeld": 1}
        while any(service[name] for name in ("depth", "inFlight", "waiting", "bytesHeld")):
            await asyncio.sleep(0.02)
            service = (await client.get("/status")).json()["services"][0]
        text = (await client.get("/metrics")).text
    counts: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "gateway_requests_total":
                counts[sample.labels["outcome"]] += int(sample.value)
    return counts


def agrees(seen: Seen, line: dict[str, object]) -> bool:
    """Whether the client saw what the gateway wrote down."""
    if seen.what == "gone":
        return True  # whatever it had come to by then
    if seen.what not in SEEN[str(line["outcome"])]:
        return False
    begun = seen.what in ("cut", "worker_died", "execution_timeout")  # its status had been sent by then
    return begun or seen.status == line["code"]


@pytest.mark.parametrize("seed", [1])
async def test_every_request_has_one_ending_whatever_workers_and_clients_do(
    tmp_path: Path, seed: int
) -> None:
    workers, file = FaultyWorkers(seed), tmp_path / "services.yaml"
    async with workers.listening(5) as ports:
        endpoints = ",".join(f"127.0.0.1:{port}" for port in ports)
        file.write_text(document(0, spec=SPEC).replace('"127.0.0.1:0"', f'"{endpoints}"'))
        async with process(file, *LIMITS) as running:
            ending = asyncio.create_task(running.process.communicate())
            seen = await every_client(running.port, seed)
            counts = await books(running)
            running.process.send_signal(signal.SIGTERM)
            stdout, stderr = await asyncio.wait_for(ending, 60)
    lines = [json.loads(line) for line in stdout.splitlines()]
    by_id = {line["id"]: line for line in lines}
    assert running.process.returncode == 0
    assert b"Traceback" not in stderr
    assert sum(counts.values()) == len(seen) == CLIENTS * EACH
    assert Counter(line["id"] for line in lines) == Counter(seen.keys())
    assert Counter(line["outcome"] for line in lines) == counts
    assert {name: (one, by_id[name]) for name, one in seen.items() if not agrees(one, by_id[name])} == {}
    assert max(workers.final.values()) == 1  # what was answered is not sent again
    assert set(workers.done) == {fault.__name__ for fault in FAULTS}  # the test has met each of them
