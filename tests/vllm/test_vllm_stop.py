"""SIGTERM at every moment: while it starts, while streams run, while it is idle."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.vllm.gateway_process import gateway
from tests.vllm.worker_process import Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
STREAMS, THROUGH_GATEWAY, LEAST_NEW = 16, 4, 20
TOKENS, FEW = 3000, 4  # a stream must still run when the refusal is asked for, however slow this machine is
WORDS = ["--served-model-name", "tiny-chat", "--max-num-seqs", "32", "--enforce-eager"]


@dataclass(frozen=True)
class End:
    """How a request ended: its status, its tokens and the last things that were said."""

    status: int
    tokens: int
    finish_reason: str | None
    done: bool  # [DONE] came, where it streamed


def whole(tokens: int) -> End:
    """How a stream ends to which nothing happened."""
    return End(200, tokens, "length", done=True)


async def stream(client: httpx.AsyncClient, tokens: int, begun: asyncio.Semaphore | None = None) -> End:
    """One streamed answer to its end; releases ``begun`` at its first event."""
    body = {
        "model": "tiny-chat",
        "messages": [{"role": "user", "content": "Tell me a long story."}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        said: list[str] = []
        async for line in answer.aiter_lines():
            if begun and not said:
                begun.release()
            said += [line.removeprefix("data: ")] if line else []
    return _judged(answer.status_code, said)


def _judged(status: int, said: list[str]) -> End:
    chunks: list[dict[str, Any]] = [json.loads(event) for event in said if event != "[DONE]"]
    choices = [chunk["choices"][0] for chunk in chunks if chunk.get("choices")]
    tokens = max((chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")), default=0)
    return End(status, tokens, choices[-1]["finish_reason"] if choices else None, said[-1:] == ["[DONE]"])


async def _begin(client: httpx.AsyncClient, count: int) -> list[asyncio.Task[End]]:
    """So many long streams, each of which has begun."""
    begun = asyncio.Semaphore(0)
    streams = [asyncio.create_task(stream(client, TOKENS, begun)) for _ in range(count)]
    for _ in streams:
        await begun.acquire()
    return streams


async def _refused(client: httpx.AsyncClient) -> httpx.Response:
    """The first answer that is not 200; the signal takes a moment to arrive."""
    for _ in range(10_000):
        if (answer := await client.get("/v1/models")).status_code != 200:
            return answer
        await asyncio.sleep(0.01)
    raise AssertionError("it never refused")


def answered(worker: Worker) -> float:
    """How many requests the worker has answered so far, as vLLM counts them."""
    families = text_string_to_metric_families(httpx.get(f"{worker.url}/metrics", timeout=60).text)
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == "vllm:request_success_total")


@pytest.fixture(scope="module")
def pair(start: Starter, tiny_chat: Path) -> tuple[Worker, Worker]:
    """The worker that will end, and the one that will stay."""
    ends, stays = start(tiny_chat, *WORDS), start(tiny_chat, *WORDS)
    for worker in (ends, stays):
        worker.wait_ready()
    return ends, stays


async def test_streams_that_run_end_whole_and_new_requests_are_answered_by_the_other_worker(
    pair: tuple[Worker, Worker], tmp_path: Path
) -> None:
    ends, stays = pair
    at_once = httpx.Limits(max_connections=None)
    with gateway(tmp_path, ends, stays, concurrency=32) as (url, _):
        async with (
            httpx.AsyncClient(base_url=ends.url, timeout=300, limits=at_once) as direct,
            httpx.AsyncClient(base_url=url, timeout=300, limits=at_once) as client,
        ):
            streams = await _begin(direct, STREAMS)
            through = await _begin(client, THROUGH_GATEWAY)
            ends.process.send_signal(signal.SIGTERM)
            refusal = await _refused(direct)
            before = await asyncio.to_thread(answered, stays)
            new = [await stream(client, FEW) for _ in range(LEAST_NEW // 2)]
            while ends.process.poll() is None:  # it drains, stops listening, and is gone
                new.append(await stream(client, FEW))
            new += [await stream(client, FEW) for _ in range(LEAST_NEW // 2)]
            assert await asyncio.gather(*streams) == [whole(TOKENS)] * STREAMS
            assert await asyncio.gather(*through) == [whole(TOKENS)] * THROUGH_GATEWAY
            after = await asyncio.to_thread(answered, stays)
    assert (refusal.status_code, refusal.headers["x-tidegate-draining"]) == (503, "1")
    assert refusal.json()["error"]["code"] == "worker_draining"
    assert new == [whole(FEW)] * len(new)
    assert len(new) <= after - before <= len(new) + THROUGH_GATEWAY
    assert ends.process.returncode == 0
    assert not ends.message.exists()
    print(f"{len(new)} new requests while it drained and after it, all answered by the other worker")


def test_an_idle_worker_stops_by_itself_when_it_is_told_to(pair: tuple[Worker, Worker]) -> None:
    _, stays = pair
    assert stays.stop() == 0
    assert not stays.message.exists()


def test_a_worker_that_still_starts_stops_and_says_how_far_it_was(start: Starter, tiny_chat: Path) -> None:
    worker = start(tiny_chat, *WORDS)
    worker.said("isolation")
    assert worker.stop() == 0
    assert worker.message.read_text().endswith("when it was told to stop\n")
