"""Writes Events beside the passes: news are handed over at once, and what cannot be written is counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tidegate.controller.metrics import OperatorMetrics
from tidegate.domain.event_log import REPEAT_SECONDS, EventLog, EventWrite, Regarded
from tidegate.domain.events import Announcement
from tidegate.domain.timestamps import to_micro_timestamp
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import KubeError, NotFoundError
from tidegate.resources.names import API_VERSION, FIELD_MANAGER, GROUP, KIND

_logger = logging.getLogger(__name__)

Json = dict[str, Any]

_REPORTER = f"{GROUP}/operator"
_LONGEST_INSTANCE = 128  # characters, by the API's own rule


@dataclass(frozen=True)
class EventSettings:
    """``instance``: this process's name, for reportingInstance. ``now``: Unix time. ``repeat``: seconds
    between two writes of one Event. ``idle``: seconds between two looks where nothing is held back."""

    instance: str
    now: Callable[[], float]
    repeat: float = REPEAT_SECONDS
    idle: float = 60.0


class EventRecorder:
    """``tell`` from the passes; ``run`` writes, until cancelled."""

    def __init__(self, client: KubeClient, metrics: OperatorMetrics, settings: EventSettings) -> None:
        self._client = client
        self._metrics = metrics
        self._settings = settings
        self._log = EventLog(repeat=settings.repeat)
        self._writes: list[EventWrite] = []
        self._arrival = asyncio.Event()

    def tell(self, raw: Json, news: Iterable[Announcement]) -> None:
        """News about an InferenceService, as the API server has it."""
        metadata, now = raw["metadata"], self._settings.now()
        about = Regarded(metadata["namespace"], metadata["name"], metadata["uid"])
        before = dict(self._log.dropped)
        for each in news:
            if write := self._log.offer(about, each, now):
                self._writes.append(write)
        for why, count in self._log.dropped.items():
            self._metrics.events_dropped.labels(why).inc(count - before.get(why, 0))
        self._arrival.set()

    async def run(self) -> None:
        """Write what there is, then wait for more."""
        while True:
            self._arrival.clear()
            self._writes += self._log.due(self._settings.now())
            while self._writes:
                await self._write(self._writes.pop(0))
            await self._rest()

    async def _rest(self) -> None:
        due = self._log.next_due(self._settings.now())
        try:
            async with asyncio.timeout(self._settings.idle if due is None else due):
                await self._arrival.wait()
        except TimeoutError:
            return

    async def _write(self, write: EventWrite) -> None:
        try:
            verb = await (self._create(write) if write.count == 1 else self._count(write))
        except KubeError as error:
            self._log.lost(write.about, write.news)
            if write.count > 1 and isinstance(error, NotFoundError):
                return  # it has expired, as Events do after an hour
            self._metrics.events_dropped.labels("error").inc()
            _logger.debug(
                "Event %s of %s/%s: %s", write.news.reason, write.about.namespace, write.about.name, error
            )
        else:
            self._metrics.writes.labels("Event", verb).inc()

    async def _create(self, write: EventWrite) -> str:
        manifest = event_manifest(write, self._settings.instance)
        await self._client.create(paths.events(write.about.namespace), manifest, field_manager=FIELD_MANAGER)
        return "create"

    async def _count(self, write: EventWrite) -> str:
        path = paths.event(write.about.namespace, event_name(write))
        series = {"count": write.count, "lastObservedTime": to_micro_timestamp(write.at)}
        await self._client.merge_patch(path, {"series": series}, field_manager=FIELD_MANAGER)
        return "patch"


def event_name(write: EventWrite) -> str:
    """Unique as client-go's: the object's name, and the moment and the reason as a number."""
    moment = int(write.began * 1e6)
    return f"{write.about.name}.{moment:x}.{write.news.reason.lower()}"


def event_manifest(write: EventWrite, instance: str) -> Json:
    """The Event to create. ``kubectl describe`` finds it by regarding's uid, kind and name."""
    about, news = write.about, write.news
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event_name(write), "namespace": about.namespace},
        "eventTime": to_micro_timestamp(write.began),
        "reportingController": _REPORTER,
        "reportingInstance": instance[:_LONGEST_INSTANCE],
        "action": news.action,
        "reason": news.reason,
        "note": news.note,
        "type": news.type,
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }
