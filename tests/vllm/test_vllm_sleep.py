"""A real vLLM that is put to sleep and woken by the worker itself.

On a CPU vLLM's workers free nothing (they log that), and --enable-sleep-mode is refused. All else is as on
a GPU: the engine client, the scheduler's pause, the reset of the caches, the reading of the weights.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path

import httpx
import pytest

from tests.vllm.worker_process import POLL_SECONDS, START_SECONDS, Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
WORDS = ["--served-model-name", "tiny-chat", "--max-num-seqs", "16", "--enforce-eager"]
ASK = {"model": "tiny-chat", "prompt": "How are you?", "max_tokens": 30, "temperature": 0}
AFTER = "2"  # seconds


def changes(worker: Worker) -> list[str]:
    """The states that the engine was brought to, in their order."""
    lines = worker.output.read_text(errors="replace").splitlines()
    return [json.loads(line)["state"] for line in lines if line.startswith('{"worker": "engine"')]


def wait_asleep(worker: Worker) -> None:
    deadline = time.monotonic() + 60
    while changes(worker)[-1:] != ["asleep"]:
        assert worker.process.poll() is None, worker.output.read_text(errors="replace")[-2000:]
        assert time.monotonic() < deadline, "it never fell asleep"
        time.sleep(POLL_SECONDS)


def told_awake(worker: Worker) -> bool:
    """What vLLM's own metric says."""
    lines = httpx.get(f"{worker.url}/metrics", timeout=10).text.splitlines()
    (line,) = [one for one in lines if one.startswith("vllm:engine_sleep_state") and '"awake"' in one]
    return float(line.rpartition(" ")[2]) == 1


async def ask_at_once(worker: Worker, count: int) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=worker.url, timeout=120) as client:
        return list(await asyncio.gather(*(client.post("/v1/completions", json=ASK) for _ in range(count))))


def texts(answers: list[httpx.Response]) -> set[str]:
    """The different texts of answers that are all good."""
    return {answer.raise_for_status().json()["choices"][0]["text"] for answer in answers}


@pytest.fixture(scope="module")
def sleeper(start: Starter, tiny_chat: Path) -> Worker:
    worker = start(tiny_chat, *WORDS, TIDEGATE_SLEEP_AFTER_SECONDS=AFTER)
    worker.wait_ready()
    return worker


@pytest.fixture(scope="module")
def model(tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(tiny_chat, tmp_path_factory.mktemp("models") / "tiny-chat")


@pytest.fixture(scope="module")
def deep_sleeper(start: Starter, model: Path) -> Worker:
    worker = start(model, *WORDS, TIDEGATE_SLEEP_AFTER_SECONDS=AFTER, TIDEGATE_SLEEP_LEVEL="2")
    worker.wait_ready()
    return worker


async def test_asleep_it_tells_of_itself_and_the_next_requests_wake_it_and_are_all_answered(
    sleeper: Worker,
) -> None:
    before = texts(await ask_at_once(sleeper, 1))
    await asyncio.to_thread(wait_asleep, sleeper)
    woken = changes(sleeper).count("awake")
    assert not await asyncio.to_thread(told_awake, sleeper)
    for path in ("/v1/models", "/health", "/metrics"):
        assert await asyncio.to_thread(sleeper.get, path) == 200
    assert changes(sleeper).count("awake") == woken
    assert texts(await ask_at_once(sleeper, 16)) == before
    assert changes(sleeper).count("awake") == woken + 1


def test_a_worker_that_sleeps_ends_cleanly(sleeper: Worker) -> None:
    wait_asleep(sleeper)
    assert sleeper.stop() == 0
    assert not sleeper.message.exists()


async def test_at_level_2_the_weights_are_read_again_and_the_answers_are_the_same(
    deep_sleeper: Worker,
) -> None:
    before = texts(await ask_at_once(deep_sleeper, 1))
    await asyncio.to_thread(wait_asleep, deep_sleeper)
    assert texts(await ask_at_once(deep_sleeper, 16)) == before
    assert "Reloading and processing weights took" in deep_sleeper.output.read_text(errors="replace")


async def test_weights_that_are_gone_when_it_wakes_end_the_worker_with_that_cause(
    deep_sleeper: Worker, model: Path
) -> None:
    await asyncio.to_thread(wait_asleep, deep_sleeper)
    (model / "model.safetensors").unlink()
    answers = await ask_at_once(deep_sleeper, 3)
    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.headers["x-tidegate-draining"] for answer in answers} == {"1"}
    assert await asyncio.to_thread(deep_sleeper.wait_end, 60) != 0
    assert "EngineSleepError: the engine did not wake up: " in deep_sleeper.message.read_text()


def test_a_device_that_has_no_sleep_mode_is_told_by_that_name(start: Starter, tiny_chat: Path) -> None:
    worker = start(tiny_chat, "--enable-sleep-mode")
    assert worker.wait_end(START_SECONDS) != 0
    assert worker.message.read_text() == "Unsupported: Sleep mode is not supported on current platform.\n"
