"""Events are written beside the passes; an API server that refuses them costs a count, not a pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.component.kube.wire import eventually
from tidegate.controller.events import EventRecorder, EventSettings, event_manifest
from tidegate.controller.metrics import OperatorMetrics
from tidegate.domain.event_log import EventWrite, Regarded
from tidegate.domain.events import Announcement
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import ForbiddenError, KubeError, NotFoundError

Json = dict[str, Any]

RAW: Json = {"metadata": {"namespace": "team", "name": "qwen", "uid": "u1"}}
NEWS = Announcement("Normal", "Woken", "0 → 1 workers: a request arrived", "Scale")


class Api:
    """Takes Events, or refuses them."""

    def __init__(self) -> None:
        self.created: list[Json] = []
        self.patched: list[tuple[str, Json]] = []
        self.refuses: KubeError | None = None
        self.refused = 0

    async def create(self, path: str, body: Json, **_: str) -> Json:
        self._may()
        assert path == "/apis/events.k8s.io/v1/namespaces/team/events"
        self.created.append(body)
        return body

    async def merge_patch(self, path: str, body: Json, **_: str) -> Json:
        self._may()
        self.patched.append((path.rsplit("/", 1)[1], body))
        return body

    def _may(self) -> None:
        if self.refuses:
            self.refused += 1
            raise self.refuses


class Stage:
    """A recorder at work, and the clock that it goes by."""

    def __init__(self) -> None:
        self.api, self.metrics, self.now = Api(), OperatorMetrics(), 1000.0
        settings = EventSettings("operator-0", lambda: self.now, idle=0.01)
        self.recorder = EventRecorder(cast(KubeClient, self.api), self.metrics, settings)

    def dropped(self, why: str) -> float:
        """How many were not written, for this reason."""
        found = self.metrics.registry.get_sample_value("tidegate_events_dropped_total", {"why": why})
        return found or 0.0


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    one = Stage()
    task = asyncio.create_task(one.recorder.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_news_become_an_event_that_says_what_it_is_about() -> None:
    async with stage() as one:
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: bool(one.api.created), "it is written")
    (event,) = one.api.created
    assert event["regarding"] == {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "namespace": "team",
        "name": "qwen",
        "uid": "u1",
    }
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "Woken", NEWS.note)
    assert event["eventTime"] == "1970-01-01T00:16:40.000000Z"


async def test_a_repetition_is_counted_in_the_first_ones_series_after_five_minutes() -> None:
    async with stage() as one:
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: bool(one.api.created), "it is written")
        one.now += 10.0
        one.recorder.tell(RAW, [NEWS, NEWS])
        await asyncio.sleep(0.05)
        assert not one.api.patched
        one.now += 290.0
        one.recorder.tell(RAW, [])
        await eventually(lambda: bool(one.api.patched), "the count is written")
    ((name, body),) = one.api.patched
    assert name == one.api.created[0]["metadata"]["name"]
    assert body == {"series": {"count": 3, "lastObservedTime": "1970-01-01T00:16:50.000000Z"}}
    assert len(one.api.created) == 1


async def test_a_refused_event_is_counted_and_the_next_one_is_tried() -> None:
    async with stage() as one:
        one.api.refuses = ForbiddenError(403, "Forbidden", "the namespace is terminating")
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: one.dropped("error") == 1, "it is counted")
        one.api.refuses = None
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: len(one.api.created) == 1, "it is written")


async def test_an_event_that_has_expired_meanwhile_is_no_loss() -> None:
    async with stage() as one:
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: bool(one.api.created), "it is written")
        one.api.refuses = NotFoundError(404, "NotFound", "gone")
        one.now += 300.0
        refused = one.api.refused
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: one.api.refused > refused, "the API server says so")
        one.api.refuses = None
        one.recorder.tell(RAW, [NEWS])
        await eventually(lambda: len(one.api.created) == 2, "the same news are a new Event")
    assert one.dropped("error") == 0


async def test_a_flood_is_counted_by_what_was_dropped() -> None:
    async with stage() as one:
        for number in range(150):
            about = {"metadata": {"namespace": "team", "name": f"s{number}", "uid": f"u{number}"}}
            one.recorder.tell(about, [NEWS])
        await eventually(lambda: len(one.api.created) == 100, "the first hundred are written")
        assert one.dropped("flood") == 50


def test_a_host_name_of_any_length_fits() -> None:
    write = EventWrite(Regarded("team", "qwen", "u1"), NEWS, 1.5, 1.5, 1)
    manifest = event_manifest(write, "n" * 300)
    assert manifest["reportingInstance"] == "n" * 128
    assert manifest["metadata"]["name"] == "qwen.16e360.woken"
