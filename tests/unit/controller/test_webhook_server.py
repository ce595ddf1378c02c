"""The webhook's HTTP surface."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tidegate.controller.admission import Admission
from tidegate.controller.webhook import webhook_app
from tidegate.controller.world import World

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with TestClient(TestServer(webhook_app(Admission(World(128))))) as opened:
        yield opened


REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {"uid": "1", "kind": {"kind": "InferenceService"}, "object": {"metadata": {}, "spec": {}}},
}


async def test_a_review_is_answered_with_a_patch(client: Client) -> None:
    answer = await client.post("/mutate", json=REVIEW)
    assert answer.status == 200
    assert (await answer.json())["response"]["patchType"] == "JSONPatch"


async def test_a_review_is_judged(client: Client) -> None:
    answer = await client.post("/validate", json=REVIEW)
    assert answer.status == 200
    response = (await answer.json())["response"]
    assert (response["uid"], response["allowed"]) == ("1", False)
    assert "spec.model: Field required" in response["status"]["message"]


@pytest.mark.parametrize("path", ["/mutate", "/validate"])
@pytest.mark.parametrize(
    ("body", "sentence"),
    [(b"", "not JSON"), (b"{", "not JSON"), (b"{}", "not an AdmissionReview"), (b"\xff", "not JSON")],
)
async def test_anything_else_gets_400_and_a_sentence(
    client: Client, path: str, body: bytes, sentence: str
) -> None:
    answer = await client.post(path, data=body)
    assert answer.status == 400
    assert sentence in await answer.text()


async def test_a_body_without_end_gets_413(client: Client) -> None:
    assert (await client.post("/mutate", data=b" " * 9_000_000)).status == 413


async def test_other_paths_and_methods_are_refused(client: Client) -> None:
    assert (await client.get("/mutate")).status == 405
    assert (await client.get("/validate")).status == 405
    assert (await client.post("/elsewhere")).status == 404
    assert (await client.get("/healthz")).status == 200
