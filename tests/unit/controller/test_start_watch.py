"""Asking what a start's time was spent on, where no gateway can see it."""

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
from tidegate.control.start_board import StartBoard
from tidegate.control.start_watch import StartSettings, StartWatch, engine_times
from tidegate.controller.pulls import Pulls
from tidegate.domain.service import ServiceKey
from tidegate.domain.start_parts import Details, EngineTimes
from tidegate.domain.workers import WorkerFacts
from tidegate.kube.errors import ForbiddenError

KEY = ServiceKey("team", "qwen")
WORKER = WorkerFacts("w-1", 0.0, host="127.0.0.1", ready_since=5.0, uid="u-1")
PULLED = {"reason": "Pulled", "note": 'Successfully pulled image "x" in 4s (5s including waiting)'}


@dataclass
class Stage:
    """A worker's port 8001, an API server's Events, and the board."""

    told: Any = field(default_factory=lambda: {"loadsAfterSeconds": 6.2, "servesAfterSeconds": 11})
    events: list[list[dict[str, Any]]] = field(default_factory=lambda: [[PULLED]])  # one listing each
    failure: Exception | None = None
    listed: list[tuple[str, str | None]] = field(default_factory=list)
    changed: list[ServiceKey] = field(default_factory=list)
    board: StartBoard = field(default_factory=StartBoard)

    async def start(self, _: web.Request) -> web.Response:
        return web.json_response(self.told) if self.told else web.Response(status=404)

    async def list_all(
        self, path: str, *, field_selector: str | None = None
    ) -> tuple[list[dict[str, Any]], str]:
        self.listed.append((path, field_selector))
        if self.failure:
            raise self.failure
        return self.events[min(len(self.listed), len(self.events)) - 1], "1"

    async def found(self) -> Details:
        """What was found about the worker, once somebody has looked."""
        await eventually(lambda: bool(self.changed), "it was asked", seconds=10)
        details = self.board.details(KEY, "u-1")
        assert details is not None
        return details


@asynccontextmanager
async def watched(stage: Stage) -> AsyncIterator[None]:
    async with serving({"/start": stage.start}) as port, httpx.AsyncClient(trust_env=False) as http:
        settings = StartSettings(stage.changed.append, port)
        pulled = Pulls(stage, pause=0.01).pulled
        task = asyncio.create_task(StartWatch(stage.board, pulled, http, settings).run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_the_nodes_pull_and_the_engines_own_times_are_asked_once() -> None:
    stage = Stage()
    async with watched(stage):
        stage.board.want(KEY, WORKER)
        assert await stage.found() == Details(5.0, EngineTimes(6.2, 11.0))
        stage.board.want(KEY, WORKER)
        await asyncio.sleep(0)
        assert stage.board.wanted() == []
    assert stage.listed == [("/apis/events.k8s.io/v1/namespaces/team/events", "regarding.uid=u-1")]


async def test_an_event_that_comes_late_is_waited_for() -> None:
    stage = Stage(events=[[], [{"reason": "Scheduled", "note": "assigned"}], [PULLED]])
    async with watched(stage):
        stage.board.want(KEY, WORKER)
        assert (await stage.found()).pulled == 5.0
    assert len(stage.listed) == 3


async def test_a_right_that_is_not_there_and_an_image_that_tells_nothing_leave_the_parts_together() -> None:
    stage = Stage(told=None, failure=ForbiddenError(403, "Forbidden", "no events"))
    async with watched(stage):
        stage.board.want(KEY, WORKER)
        assert await stage.found() == Details(None, None)
    assert len(stage.listed) == 1


async def test_what_nobody_foresaw_costs_the_details_of_one_start_and_nothing_else() -> None:
    stage = Stage(failure=RuntimeError("odd"))
    async with watched(stage):
        stage.board.want(KEY, WORKER)
        assert await stage.found() == Details()
        stage.failure = None
        stage.changed.clear()
        second = replace(WORKER, uid="u-2")
        stage.board.want(KEY, second)
        await eventually(lambda: bool(stage.changed), "the next one is asked about", seconds=10)
        assert stage.board.details(KEY, "u-2") == Details(5.0, EngineTimes(6.2, 11.0))
        assert stage.board.details(KEY, "u-1") is None, "only the last start is remembered"


async def test_a_service_that_is_gone_is_not_remembered() -> None:
    stage = Stage()
    async with watched(stage):
        stage.board.want(KEY, WORKER)
        await stage.found()
        stage.board.forget(KEY)
    assert stage.board.details(KEY, "u-1") is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "soon",
        {},
        {"loadsAfterSeconds": None, "servesAfterSeconds": None},
        {"loadsAfterSeconds": 6.0, "servesAfterSeconds": None},
        {"loadsAfterSeconds": 7.0, "servesAfterSeconds": 6.0},
        {"loadsAfterSeconds": -1.0, "servesAfterSeconds": 6.0},
        {"loadsAfterSeconds": 1.0, "servesAfterSeconds": float("inf")},
        {"loadsAfterSeconds": "1", "servesAfterSeconds": "2"},
    ],
)
def test_an_answer_of_another_shape_tells_nothing(told: object) -> None:
    assert engine_times(told) is None
