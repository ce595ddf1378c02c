"""The names by which clients ask, and what of them reaches the worker."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest

from tests.component.gateway.echo_worker import EchoWorker
from tests.component.gateway.harness import KEY, HandSubstrate, Log, config, gateway, worker
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.gateway.server import Gateway

OTHER, SECOND = ServiceKey("team-b", "other"), ServiceKey("team-a", "second")
WAV = {"file": ("a.wav", b"RIFF\x00\xff\r\n--x", "audio/wav")}


@contextlib.asynccontextmanager
async def serving(
    echo: EchoWorker, log: Log | None = None, **changes: Any
) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway whose service team-a/qwen has an echoing worker; and its address."""
    echo.go.set()
    async with echo.listening() as port:
        view = ServiceView(config(**changes), (worker(port, ready=True),))
        async with gateway(HandSubstrate(view), log) as running:
            yield running, f"http://127.0.0.1:{running.port}"


@pytest.mark.parametrize(
    ("path", "model", "sent"),
    [
        ("/v1", "m", "m"),
        ("/v1", "n", "n"),
        ("/v1", "team-a/qwen", "m"),
        ("/v1", "team-a/n", "m"),
        ("/team-a/v1", "n", "n"),
        ("/team-a/v1", "qwen", "m"),
        ("/team-a/v1", "team-a/qwen", "m"),
        ("/team-a/qwen/v1", "team-a/qwen", "m"),
        ("/team-a/qwen/v1", "a-lora-of-the-engine", "a-lora-of-the-engine"),
    ],
)
async def test_the_engine_gets_a_name_that_it_knows(path: str, model: str, sent: str) -> None:
    echo = EchoWorker()
    async with serving(echo, served_names=("m", "n")) as (_, url), httpx.AsyncClient(timeout=60) as client:
        body = b'{ "model" : "' + model.encode() + b'", "x": [1.0] }'
        answer = await client.post(f"{url}{path}/chat/completions", content=body)
        assert answer.status_code == 200, answer.text
        form = await client.post(f"{url}{path}/audio/transcriptions", data={"model": model}, files=WAV)
        assert form.status_code == 200, form.text
    chat, audio = echo.got
    assert (chat.target, audio.target) == ("/v1/chat/completions", "/v1/audio/transcriptions")
    assert chat.body == body.replace(model.encode(), sent.encode())
    assert f'name="model"\r\n\r\n{sent}\r\n'.encode() in audio.body
    assert WAV["file"][1] in audio.body
    assert int(audio.fields["content-length"]) == len(audio.body)


async def test_the_official_client_sends_audio() -> None:
    echo, log = EchoWorker(), Log()
    async with (
        serving(echo, log) as (_, url),
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client,
    ):
        await client.audio.transcriptions.create(model="team-a/qwen", file=("a.wav", b"RIFF"))
    assert b'name="model"\r\n\r\nm\r\n' in echo.got[0].body
    line = json.loads(log.data.splitlines()[0])
    assert (line["model"], line["service"]) == ("team-a/qwen", "team-a/qwen")


async def test_a_form_that_cannot_be_read_is_the_engines_to_judge_where_its_service_is_known() -> None:
    echo = EchoWorker()
    headers = {"content-type": "multipart/form-data"}
    async with serving(echo) as (_, url), httpx.AsyncClient(timeout=60) as client:
        path = "/v1/audio/transcriptions"
        by_path = await client.post(f"{url}/team-a/qwen{path}", content=b"--X", headers=headers)
        by_model = await client.post(url + path, content=b"--X", headers=headers)
        nameless = await client.post(url + path, files=WAV)
        unknown = await client.post(url + path, data={"model": "nope"}, files=WAV)
    assert by_path.status_code == 200
    assert [got.body for got in echo.got] == [b"--X"]
    assert (by_model.status_code, "boundary" in by_model.text) == (400, True)
    assert (nameless.status_code, "names no service" in nameless.text) == (404, True)
    assert (unknown.status_code, "nope" in unknown.text) == (404, True)


def views() -> list[ServiceView]:
    """Two services in team-a that share a name, one in team-b that had it first, and a suspended one."""
    return [
        ServiceView(config(served_names=("chat", "qwen-7b"), created=2.0)),
        ServiceView(config(SECOND, served_names=("chat",), created=3.0)),
        ServiceView(config(OTHER, served_names=("chat",), created=1.0)),
        ServiceView(config(ServiceKey("team-b", "off"), served_names=("off",), suspended=True)),
    ]


@pytest.mark.parametrize(
    ("path", "host", "names"),
    [
        ("/v1", "g", ["team-a/chat", "qwen-7b", "team-a/second", "chat"]),
        ("/team-a/v1", "g", ["chat", "qwen-7b", "team-a/second"]),
        ("/team-b/v1", "g", ["chat"]),
        ("/nobody/v1", "g", []),
        ("/team-a/qwen/v1", "g", ["chat", "qwen-7b"]),
        ("/v1", "second.team-a", ["chat"]),
    ],
)
async def test_the_list_has_each_name_that_can_be_asked_by_there(
    path: str, host: str, names: list[str]
) -> None:
    async with (
        gateway(HandSubstrate(*views())) as running,
        httpx.AsyncClient(headers={"host": host}, timeout=60) as client,
    ):
        url = f"http://127.0.0.1:{running.port}{path}/models"
        cards = (await client.get(url)).json()["data"]
        ones = [(await client.get(f"{url}/{name}")).json() for name in names]
    assert [card["id"] for card in cards] == names
    assert ones == cards
    if path == "/v1" and host == "g":
        meant = [running.traffic.router.by_model(name) for name in names]
        assert [str(service.key) for service in meant if service] == [card["root"] for card in cards]


async def test_a_suspended_service_says_so_by_name_and_an_unknown_name_is_404() -> None:
    async with gateway(HandSubstrate(*views())) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}"
        off = await client.get(f"{url}/v1/models/off")
        elsewhere = await client.get(f"{url}/team-a/v1/models/off")
        encoded = await client.get(f"{url}/v1/models/team-a%2Fqwen")
    assert (off.status_code, off.json()["error"]["code"]) == (503, "suspended")
    assert (elsewhere.status_code, elsewhere.json()["error"]["code"]) == (404, "model_not_found")
    assert encoded.json()["id"] == "team-a/qwen"


async def test_a_model_of_another_namespace_is_not_found_through_a_namespaces_path() -> None:
    async with gateway(HandSubstrate(*views())) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/team-b/v1/chat/completions"
        for name in ("qwen-7b", "team-a/qwen"):
            answer = await client.post(url, json={"model": name})
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert running.fleet.services[KEY].arrivals == 0


async def test_refusals_of_messages_have_anthropics_shape() -> None:
    async with gateway(HandSubstrate(*views())) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1"
        unknown = await client.post(f"{url}/messages", json={"model": "nope"})
        off = await client.post(f"{url}/messages", json={"model": "off"})
        broken = await client.post(f"{url}/messages", content=b"{")
        plain = await client.post(f"{url}/chat/completions", json={"model": "nope"})
    kinds = [(a.json()["type"], a.json()["error"]["type"]) for a in (unknown, off, broken)]
    assert kinds == [
        ("error", "not_found_error"),
        ("error", "overloaded_error"),
        ("error", "invalid_request_error"),
    ]
    assert "nope" in unknown.json()["error"]["message"]
    assert "type" not in plain.json()
