"""The official client, unmodified: what it sends is understood, what it gets makes it do the right thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import openai
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    metric,
    post,
    read_answer,
    ready,
    until,
    worker,
)
from tidegate.domain.service import ServiceView
from tidegate.gateway.server import Gateway

MESSAGES = [openai.types.chat.ChatCompletionUserMessageParam(role="user", content="hello")]


def url(running: Gateway) -> str:
    return f"http://127.0.0.1:{running.port}/v1"


async def test_chat_streams_completions_embeddings_and_models_work() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with (
            gateway(substrate) as running,
            openai.AsyncOpenAI(base_url=url(running), api_key="key") as client,
        ):
            await ready(running)
            whole = await client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=4)
            stream = await client.chat.completions.create(
                model="m",
                messages=MESSAGES,
                max_tokens=4,
                stream=True,
                stream_options={"include_usage": True},
            )
            chunks = [chunk async for chunk in stream]
            plain = await client.completions.create(model="m", prompt="hello", max_tokens=4)
            vectors = await client.embeddings.create(model="m", input=["a", "b"])
            models = [model.id async for model in client.models.list()]
            one = await client.models.retrieve("m")
    assert whole.choices[0].message.content == "word0 word1 word2 word3"
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4
    assert plain.choices[0].text == text
    assert len(vectors.data) == 2
    assert (models, one.id) == (["m"], "m")


def _stream(base_url: str) -> str:
    with openai.OpenAI(base_url=base_url, api_key="key") as client:
        stream = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=4, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


async def test_the_synchronous_client_streams() -> None:
    async with engine(tokens_per_second="0") as quick:
        substrate = HandSubstrate(ServiceView(config(), (worker(quick.port),)))
        async with gateway(substrate) as running:
            await ready(running)
            text = await asyncio.to_thread(_stream, url(running))
    assert text == "word0 word1 word2 word3"


async def test_an_unknown_model_is_the_clients_not_found_error() -> None:
    async with (
        gateway(HandSubstrate()) as running,
        openai.AsyncOpenAI(base_url=url(running), api_key="key") as client,
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="nope", messages=MESSAGES)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


@dataclass
class Pauses:
    """What the client wanted to sleep before it asked again; nobody really sleeps."""

    seconds: list[float] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.then()

    def sleep_in_a_thread(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.then()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Only the client sleeps by these two; the gateway and the tests wait in other ways."""
    pauses = Pauses()
    monkeypatch.setattr("openai._base_client.anyio", SimpleNamespace(sleep=pauses.sleep))
    monkeypatch.setattr("openai._base_client.time.sleep", pauses.sleep_in_a_thread)
    return pauses


async def test_the_client_comes_again_after_a_429_when_it_was_told_to(pauses: Pauses) -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(max_depth=1, retry_after_seconds=7))
        substrate = HandSubstrate(view)
        pauses.then = lambda: substrate.show(ServiceView(view.config, (worker(quick.port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, holder):
            holder.write(post(b'{"model": "m"}'))
            await until(lambda: running.fleet.services[KEY].flow.depth == 1)
            async with openai.AsyncOpenAI(base_url=url(running), api_key="key", max_retries=20) as client:
                answer = await client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=1)
            assert metric(running, "gateway_rejected_total", reason="depth") == len(pauses.seconds) > 0
            assert (await read_answer(reader)).status == 200
    assert set(pauses.seconds) == {7.0}
    assert answer.choices[0].message.content == "word0"


def _ask(base_url: str) -> str | None:
    with openai.OpenAI(base_url=base_url, api_key="key", max_retries=1) as client:
        answer = client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=1)
        return answer.choices[0].message.content


async def test_the_synchronous_client_comes_again_after_a_503_when_it_was_told_to(pauses: Pauses) -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(cold_start_timeout_seconds=0.05, retry_after_seconds=9))
        substrate = HandSubstrate(view)
        loop = asyncio.get_running_loop()
        awake = ServiceView(config(), (worker(quick.port),))
        pauses.then = lambda: asyncio.run_coroutine_threadsafe(_show(substrate, awake), loop).result()
        async with gateway(substrate) as running:
            content = await asyncio.to_thread(_ask, url(running))
    assert pauses.seconds == [9.0]
    assert content == "word0"


async def _show(substrate: HandSubstrate, view: ServiceView) -> None:
    substrate.show(view)


async def test_a_client_without_retries_reads_why_and_when_to_come_again() -> None:
    view = ServiceView(config(cold_start_timeout_seconds=0.05))
    async with (
        gateway(HandSubstrate(view)) as running,
        openai.AsyncOpenAI(base_url=url(running), api_key="key", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="m", messages=MESSAGES)
    assert (caught.value.status_code, caught.value.code) == (503, "cold_start_timeout")
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 300


async def test_a_client_that_runs_out_of_patience_leaves_nothing_running() -> None:
    async with engine(request_seconds="60") as slow:
        substrate = HandSubstrate(ServiceView(config(), (worker(slow.port),)))
        async with (
            gateway(substrate) as running,
            openai.AsyncOpenAI(base_url=url(running), api_key="key", timeout=3, max_retries=0) as client,
        ):
            await ready(running)
            with pytest.raises(openai.APITimeoutError):
                await client.chat.completions.create(model="m", messages=MESSAGES)
            await until(lambda: running.fleet.services[KEY].flow.depth == 0)
            assert metric(running, "gateway_requests_total", outcome="client_gone", code="499") == 1


async def test_a_stream_that_runs_too_long_raises_in_the_client_with_its_code() -> None:
    async with engine(tokens_per_second="20") as slow:
        substrate = HandSubstrate(ServiceView(config(execution_timeout_seconds=2), (worker(slow.port),)))
        async with (
            gateway(substrate) as running,
            openai.AsyncOpenAI(base_url=url(running), api_key="key", max_retries=0) as client,
        ):
            await ready(running)
            stream = await client.chat.completions.create(
                model="m", messages=MESSAGES, max_tokens=100_000, stream=True
            )
            with pytest.raises(openai.APIError) as caught:
                async for _ in stream:
                    pass
    assert caught.value.code == "execution_timeout"


async def test_a_worker_that_dies_in_a_stream_raises_in_the_client() -> None:
    async with engine(tokens_per_second="50") as dying:
        substrate = HandSubstrate(ServiceView(config(), (worker(dying.port),)))
        async with (
            gateway(substrate) as running,
            openai.AsyncOpenAI(base_url=url(running), api_key="key") as client,
        ):
            await ready(running)
            stream = await client.chat.completions.create(
                model="m", messages=MESSAGES, max_tokens=100_000, stream=True
            )
            await anext(aiter(stream))
            await dying.kill()
            with pytest.raises(openai.APIError, match="stopped in the middle"):
                async for _ in stream:
                    pass
