"""Asking workers what cores they have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from aiohttp import web

from tests.component.kube.wire import eventually
from tests.unit.controller.streams import serving
from tidegate.control.evidence import EvidenceBoard, EvidenceSettings, EvidenceWatch
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts

KEY = ServiceKey("team", "qwen")
WORKER = WorkerFacts(
    "w-1", 0.0, node="a", host="127.0.0.1", ready_since=5.0, guaranteed=True, uid="u-1", cores=2
)
GOOD: dict[str, Any] = {"containerCpus": "2-3", "nodeCpus": "0-7", "throttledPeriods": 0}


@dataclass
class Worker:
    """A worker's port 8001, the board, and what was told to others."""

    answer: Any = field(default_factory=lambda: dict(GOOD))
    asked: int = 0
    now: float = 100.0
    changed: list[ServiceKey] = field(default_factory=list)
    nodes: list[tuple[str, bool]] = field(default_factory=list)
    board: EvidenceBoard = field(default_factory=EvidenceBoard)

    async def isolation(self, _: web.Request) -> web.StreamResponse:
        self.asked += 1
        if isinstance(self.answer, web.Response):
            return web.Response(body=self.answer.body, status=self.answer.status)
        return web.json_response(self.answer)

    async def node_told(self, node: str, exclusive: bool, _since: float) -> None:
        self.nodes.append((node, exclusive))

    async def looks(self, count: int) -> None:
        """Returns after so many more looks were taken in."""
        before = self.asked
        await eventually(lambda: self.asked >= before + count + 1, f"{count} looks")


@asynccontextmanager
async def watched(worker: Worker) -> AsyncIterator[None]:
    """A watch without pauses."""
    async with serving({"/isolation": worker.isolation}) as port, httpx.AsyncClient(trust_env=False) as http:
        settings = EvidenceSettings(
            worker.changed.append, worker.node_told, port, first=0.01, every=0.01, now=lambda: worker.now
        )
        task = asyncio.create_task(EvidenceWatch(worker.board, http, settings).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_two_looks_make_a_verdict_possible_and_more_of_the_same_are_no_news() -> None:
    worker = Worker()
    async with watched(worker):
        worker.board.follow(KEY, [WORKER])
        await worker.looks(4)
    looks = worker.board.looks("u-1")
    assert looks
    assert not looks.pending
    assert worker.changed == [KEY, KEY]
    assert set(worker.nodes) == {("a", True)}


async def test_periods_that_grow_and_their_end_are_news() -> None:
    worker = Worker()
    async with watched(worker):
        worker.board.follow(KEY, [WORKER])
        await worker.looks(2)
        worker.answer["throttledPeriods"] = 7
        await worker.looks(2)
        assert len(worker.changed) == 3
        worker.now += 601
        await worker.looks(2)
    assert len(worker.changed) == 4


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=404),
        web.Response(body=b"<html>"),
        web.Response(body=b"[]"),
        web.Response(body=b'{"containerCpus": "' + b"1," * 40000 + b'"}'),
    ],
    ids=["404", "html", "list", "huge"],
)
async def test_an_image_that_tells_nothing_useful_is_news_once(answer: web.Response) -> None:
    worker = Worker(answer)
    async with watched(worker):
        worker.board.follow(KEY, [WORKER])
        await worker.looks(3)
    looks = worker.board.looks("u-1")
    assert looks
    assert (looks.evidence, looks.pending) == (None, False)
    assert worker.changed == [KEY]
    assert worker.nodes == []


async def test_a_worker_that_is_not_guaranteed_says_nothing_about_its_node() -> None:
    worker = Worker()
    async with watched(worker):
        worker.board.follow(KEY, [replace(WORKER, guaranteed=False)])
        await worker.looks(2)
    assert worker.nodes == []


async def test_who_is_not_ready_any_more_is_forgotten_and_not_asked() -> None:
    worker = Worker()
    async with watched(worker):
        worker.board.follow(KEY, [WORKER, replace(WORKER, uid="u-2", ready_since=None)])
        await worker.looks(2)
        worker.board.follow(KEY, [])
        assert worker.board.looks("u-1") is None
        assert worker.board.targets() == []
        await asyncio.sleep(1.0)  # a question that is under way arrives
        asked = worker.asked
        await asyncio.sleep(0.1)
        assert worker.asked == asked
        worker.board.follow(KEY, [replace(WORKER, ready_since=50.0)])
        await worker.looks(1)
    assert worker.board.looks("u-2") is None
