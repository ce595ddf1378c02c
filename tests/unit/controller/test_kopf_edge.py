"""kopf before an API server that is played: what ends it, and what happens then."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kopf
import pytest
import yaml
from aiohttp import web

from tests.component.kube.wire import eventually
from tests.unit.controller.streams import serving
from tidegate.controller.handlers import register
from tidegate.controller.kopf_edge import KopfSettings, run_kopf
from tidegate.domain.service import ServiceKey
from tidegate.kube.cache import Kind, ObjectCache

Json = dict[str, Any]

SETTINGS: Json = {"retry": 0.01, "jitter": lambda _, high: high}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "namespace": "team",
        "name": "qwen-1",
        "uid": "1",
        "resourceVersion": "5",
        "labels": {"tidegate.io/inferenceservice": "qwen"},
    },
}


@dataclass
class Api:
    """Knows pods alone. ``lines``: what the next watches tell, each one's; a watch without lines hangs."""

    lines: list[Json | str] = field(default_factory=list)
    selectors: list[str] = field(default_factory=list)
    watches: int = 0

    async def group(self, _: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1"], "groups": []})

    async def kinds(self, _: web.Request) -> web.Response:
        known = [("pods", "Pod", True), ("namespaces", "Namespace", False)]  # kopf begins with namespaces
        return web.json_response({"resources": [_kind(*each) for each in known]})

    async def pods(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            return await self.watch(request)
        self.selectors.append(request.query.get("labelSelector", ""))
        return web.json_response({"kind": "PodList", "metadata": {"resourceVersion": "4"}, "items": []})

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.watches += 1
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        if not self.lines:
            await asyncio.Event().wait()
        line = self.lines.pop(0)
        text = line if isinstance(line, str) else json.dumps(line)
        await response.write(text.encode() + b"\n")
        return response


def _kind(plural: str, kind: str, namespaced: bool) -> Json:
    verbs = ["get", "list", "watch", "patch"]
    return {
        "name": plural,
        "kind": kind,
        "singularName": "",
        "namespaced": namespaced,
        "verbs": verbs,
    }


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    playing = Api()
    routes = {"/api": playing.group, "/apis": playing.group, "/api/v1": playing.kinds}
    async with serving({**routes, "/api/v1/pods": playing.pods}) as port:
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(file))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield playing


@dataclass
class Fed:
    """What kopf has told."""

    cache: ObjectCache = field(default_factory=ObjectCache)
    looked_at: list[ServiceKey] = field(default_factory=list)
    listings: int = 0

    def listed(self) -> None:
        self.listings += 1


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Fed]:
    fed, registry = Fed(), kopf.OperatorRegistry()
    register(registry, fed.cache, fed.looked_at.append)
    given = KopfSettings(listed=fed.listed, **{**SETTINGS, **settings})
    task = asyncio.create_task(run_kopf(registry, given))
    try:
        yield fed
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_event_is_taken_and_its_service_is_looked_at(api: Api) -> None:
    api.lines.append({"type": "ADDED", "object": POD})
    async with running() as fed:
        await eventually(lambda: fed.looked_at == [ServiceKey("team", "qwen")], "it is looked at")
    assert fed.cache.get(Kind.POD, "team", "qwen-1") is not None


@pytest.mark.parametrize(
    "line",
    [
        {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd has no leader"}},
        '{"type": "ADD',
        {"type": "ADDED", "object": {"kind": "Pod"}},
    ],
    ids=["an error", "no JSON", "no metadata"],
)
async def test_what_ends_kopf_is_outlived_and_the_cluster_is_listed_anew(api: Api, line: Json | str) -> None:
    api.lines += [line, {"type": "ADDED", "object": POD}]
    async with running() as fed:
        await eventually(lambda: bool(fed.looked_at), "the watch goes on")
        await eventually(lambda: fed.listings == 2, "each start is told")
        assert api.watches >= 2


@pytest.mark.parametrize("end", [RuntimeError("odd"), asyncio.CancelledError()])
async def test_whatever_kopfs_start_ends_with_it_is_begun_anew(
    monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    starts = 0

    async def ends(**_: object) -> None:
        nonlocal starts
        starts += 1
        raise end

    monkeypatch.setattr(kopf, "spawn_tasks", ends)
    async with running(retry_limit=0.01):
        await eventually(lambda: starts >= 3, "kopf is begun a third time")


async def test_a_watch_that_was_too_old_asks_for_a_listing_though_kopf_goes_on(api: Api) -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    api.lines.append({"type": "ERROR", "object": gone})
    async with running() as fed:
        await eventually(lambda: fed.listings == 2, "both listings are told, though nothing was in them")
        await eventually(lambda: api.watches == 2, "the watch goes on")


async def test_kopfs_own_listings_find_nothing_where_somebody_else_lists(api: Api) -> None:
    async with running() as fed:
        await eventually(lambda: fed.listings == 1, "it has listed")
    async with running(unlisted=()) as fed:
        await eventually(lambda: fed.listings == 1, "it has listed")
    nothing, everything = api.selectors
    assert nothing == "tidegate.io/none,!tidegate.io/none"
    assert everything == "tidegate.io/inferenceservice"


async def test_starts_that_fail_come_ever_later(api: Api) -> None:
    pauses: list[float] = []

    def noted(_: float, high: float) -> float:
        pauses.append(high)
        return high

    api.lines += ["no JSON"] * 4
    async with running(jitter=noted, retry=0.02, retry_limit=0.04) as fed:
        await eventually(lambda: fed.listings == 5, "it was started again and again")
    assert len(pauses) == 4


async def test_nothing_of_kopf_is_left_when_it_was_told_to_end(api: Api) -> None:
    async with running():
        await eventually(lambda: api.watches == 1, "it watches")
    await eventually(lambda: all(each.name != "kopf" for each in threading.enumerate()), "its thread is gone")
