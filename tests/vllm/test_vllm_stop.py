"""SIGTERM at every moment: while it starts, while streams run, while it is idle."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import openai
import pytest

from tests.vllm.worker_process import Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
STREAMS = 16
TOKENS = 400


@pytest.fixture
def worker(start: Starter, tiny_chat: Path) -> Worker:
    words = ["--served-model-name", "tiny-chat", "--max-num-seqs", "16", "--enforce-eager"]
    return start(tiny_chat, *words)


async def stream(client: openai.AsyncOpenAI, running: asyncio.Semaphore) -> int:
    """The tokens of one answer; releases ``running`` when the first is there."""
    answer = await client.chat.completions.create(
        model="tiny-chat",
        messages=[{"role": "user", "content": "Tell me a long story."}],
        max_tokens=TOKENS,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    tokens, begun = 0, False
    async for chunk in answer:
        if not begun:
            begun = True
            running.release()
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return tokens


async def test_streams_that_run_end_whole_and_new_requests_are_refused_cleanly(worker: Worker) -> None:
    await asyncio.to_thread(worker.wait_ready)
    running = asyncio.Semaphore(0)
    url = f"{worker.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=120) as client:
        streams = [asyncio.create_task(stream(client, running)) for _ in range(STREAMS)]
        for _ in streams:
            await running.acquire()
        worker.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.said, "draining")
        refusal = await _refused(f"{url}/models")
        assert await asyncio.gather(*streams) == [TOKENS] * STREAMS
    assert refusal.headers["x-tidegate-draining"] == "1"
    assert refusal.json()["error"]["code"] == "worker_draining"
    assert await asyncio.to_thread(worker.wait_end, 60) == 0
    assert not worker.message.exists()


async def _refused(url: str) -> httpx.Response:
    """The first answer that is not 200; the signal takes a moment to arrive."""
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(200):
            if (answer := await client.get(url)).status_code != 200:
                break
            await asyncio.sleep(0.01)
    assert answer.status_code == 503
    return answer


def test_a_worker_that_still_starts_stops_at_once(worker: Worker) -> None:
    worker.said("prepared")
    time.sleep(3)  # somewhere in the imports, or with an engine that is being started: any moment must do
    asked = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - asked < 25, "the kubelet kills after 30 s, or after the drain's time"
    assert not worker.message.exists()


def test_an_idle_worker_gives_its_core_back_within_seconds(worker: Worker) -> None:
    worker.wait_ready()
    asked = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - asked < 25, "it waits for nobody, let alone as long as for streams"
