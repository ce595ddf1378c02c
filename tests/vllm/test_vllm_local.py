"""`tidegate up` with real vLLM: a service wakes, answers, sleeps and is gone; one that cannot says why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.component.local.manifests import NAMESPACE, Json, service
from tests.component.local.place import Place, place
from tests.component.local.up import Up
from tests.component.local.waiting import until
from tests.vllm.worker_process import START_SECONDS

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]
RESOURCES = {"cpu": 1, "memory": "3Gi", "sharedMemory": "256Mi"}
PATIENT = {"coldStartTimeoutSeconds": int(START_SECONDS)}


@pytest_asyncio.fixture
async def here(
    tmp_path_factory: pytest.TempPathFactory, site_packages: Path, tiny_chat: Path
) -> AsyncIterator[Place]:
    """A user with an empty home, and with vLLM and the model in their cache folder."""
    assert tiny_chat.parents[1] == site_packages.parents[1]
    async with place(tmp_path_factory.mktemp("up"), XDG_CACHE_HOME=str(site_packages.parents[2])) as found:
        yield found


def chat(name: str, *arguments: str) -> Json:
    """The tiny chat model, run by whatever vLLM is found."""
    spec: dict[str, Any] = {
        "model": {"uri": "file:///models/tiny-chat"},
        "engine": {"args": ["--enforce-eager", *arguments], "maxConcurrency": 8},
        "resources": RESOURCES,
        "cpuIsolation": "Preferred",
    }
    return service(name, command="", scaling=PATIENT, **spec)


async def ask(up: Up, name: str) -> httpx.Response:
    """The answer to a chat of a few tokens; a start of vLLM may be before it."""
    body = {"model": name, "messages": [{"role": "user", "content": "Tell me of the tide."}], "max_tokens": 8}
    async with httpx.AsyncClient(timeout=START_SECONDS, trust_env=False) as client:
        return await client.post(f"{up.url}/{NAMESPACE}/{name}/v1/chat/completions", json=body)


async def test_it_wakes_for_a_request_answers_sleeps_and_leaves_no_process(here: Place) -> None:
    here.put(chat("tide"))
    up = await here.start()
    await up.wait_asleep("tide")
    assert here.processes() == []
    answer = await ask(up, "tide")
    assert answer.status_code == httpx.codes.OK, f"{answer.text}\n{up.said()}"
    assert answer.json()["usage"]["completion_tokens"] in range(1, 9)
    await until(lambda: asleep(up, "tide"), "it sleeps again", START_SECONDS)
    await here.empty()
    starts = (await up.status("tide"))["coldStarts"]
    assert starts["count"] == 1
    assert {"engine", "load", "firstByte"} <= starts["parts"].keys()


async def asleep(up: Up, name: str) -> bool:
    shown = await up.shown(name)
    return bool(shown["service"]["status"]["phase"] == "Idle" and not shown["pods"])


async def test_a_flag_that_vllm_does_not_know_is_named_in_the_status(here: Place) -> None:
    here.put(chat("wrong", "--max-model-lenn", "64"))
    up = await here.start()
    asking = asyncio.create_task(ask(up, "wrong"))
    said = ""

    async def told() -> bool:
        nonlocal said
        ready = await up.condition("wrong", "Ready")
        said = f"{ready.get('reason')}: {ready.get('message')}"
        return "BadArgument" in said

    try:
        await until(told, "the cause is told", START_SECONDS)
        assert "unrecognized arguments: --max-model-lenn" in said
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
