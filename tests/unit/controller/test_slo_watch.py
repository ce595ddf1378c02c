"""The operator asks gateways for what they count: one that does not answer costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from aiohttp import web

from tests.unit.controller.streams import serving
from tidegate.control.slo_board import SloBoard
from tidegate.controller.slo import SloSettings, SloWatch, services_with_targets
from tidegate.domain.service import ServiceKey
from tidegate.domain.slo import Target
from tidegate.kube.cache import Kind, ObjectCache

KEY, OTHER = ServiceKey("team", "qwen"), ServiceKey("team", "other")
TARGET = Target("totalP95Seconds", 3.0, "total", 0.95)
COUNTS = {
    "instance": "i",
    "uptimeSeconds": 1,
    "requests": {"completed": {"200": 100}},
    "histograms": {"total": {"edges": [1, 5], "counts": [0, 100, 0]}},
}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def counts(_: web.Request) -> web.Response:
    return web.json_response(COUNTS)


async def hangs(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def endless(_: web.Request) -> web.Response:
    histograms = '{"total": {"edges": [1, 5], "counts": [0, Infinity, 0]}}'
    text = f'{{"instance": "i", "uptimeSeconds": 1, "histograms": {histograms}}}'
    return web.Response(text=text, content_type="application/json")


async def garbage(_: web.Request) -> web.Response:
    return web.json_response({"instance": 3})


async def after_a_round(answer: Answer, *addresses: str) -> tuple[SloBoard, list[ServiceKey]]:
    """The board after one round with these gateways, and who is looked at again."""
    board, looked = SloBoard(), list[ServiceKey]()
    async with httpx.AsyncClient(trust_env=False) as client, serving({"/slo/team/{name}": answer}) as port:
        settings = SloSettings(
            services=lambda: [KEY, OTHER],
            gateways=lambda: addresses or ["127.0.0.1"],
            changed=looked.append,
            now=lambda: 1000.0,
            jitter=lambda low, _high: low,
            port=port,
            budget=0.2,
        )
        await SloWatch(board, client, settings).round()
    return board, looked


async def test_a_round_brings_the_verdict_of_every_service_with_targets() -> None:
    board, looked = await after_a_round(counts)
    for key in (KEY, OTHER):
        found = board.condition(key, (TARGET,), {}, 1000.0)
        assert found
        assert found.message.startswith("totalP95Seconds 4.8 > 3")
    assert looked == [KEY, OTHER]


async def test_a_gateway_that_hangs_is_told_from_one_that_answers() -> None:
    board, looked = await after_a_round(hangs)
    found = board.condition(KEY, (TARGET,), {}, 1000.0)
    assert found
    assert found.reason == "TooFewRequests"
    assert looked == [KEY, OTHER]


@pytest.mark.parametrize("answer", [garbage, endless])
async def test_an_answer_that_makes_no_sense_and_an_address_without_a_gateway_change_nothing(
    answer: Answer,
) -> None:
    board, _ = await after_a_round(answer, "127.0.0.1", "127.0.0.2")
    found = board.condition(KEY, (TARGET,), {}, 1000.0)
    assert found
    assert found.status == "Unknown"


def test_only_services_with_targets_are_asked_for() -> None:
    cache = ObjectCache()
    for name, spec in (("qwen", {"slo": {"successRatio": "1"}}), ("plain", {}), ("odd", {"slo": None})):
        metadata = {"namespace": "team", "name": name, "uid": name, "resourceVersion": "1"}
        cache.put(Kind.INFERENCE_SERVICE, {"metadata": metadata, "spec": spec})
    assert services_with_targets(cache) == [KEY]
