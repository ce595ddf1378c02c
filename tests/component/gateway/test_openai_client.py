"""The official client, unmodified: what it sends is understood, what it gets makes it do the right thing."""

from __future__ import annotations

import asyncio

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


async def test_the_client_comes_again_after_a_429_when_it_was_told_to() -> None:
    async with engine(tokens_per_second="0") as quick:
        view = ServiceView(config(max_depth=1, retry_after_seconds=1))
        substrate = HandSubstrate(view)
        async with (
            gateway(substrate) as running,
            openai.AsyncOpenAI(base_url=url(running), api_key="key", max_retries=3) as client,
        ):
            async with connection(running.port) as (_, holder):
                holder.write(post(b'{"model": "m"}'))
                await until(lambda: running.fleet.services[KEY].flow.depth == 1)
                asked = asyncio.create_task(
                    client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=1)
                )
                await until(lambda: running.fleet.services[KEY].arrivals == 2)
            substrate.show(ServiceView(view.config, (worker(quick.port),)))
            answer = await asked
            assert metric(running, "gateway_rejected_total", reason="depth") == 1
    assert answer.choices[0].message.content == "word0"


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
