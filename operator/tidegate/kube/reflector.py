"""One collection, followed for ever: list, watch, resume what broke, list anew what is too old."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from tidegate.kube.client import Json, KubeClient, WatchEvent
from tidegate.kube.errors import GoneError, KubeError

_logger = logging.getLogger(__name__)


class Mirror(Protocol):
    """What keeps a copy of the collection. Called on the event loop; never blocks, never raises."""

    def listed(self, items: list[Json]) -> None:
        """The whole truth: what is not in ``items`` is gone."""
        ...

    def changed(self, event: WatchEvent) -> None:
        """One object was ADDED, MODIFIED or DELETED."""
        ...


@dataclass(frozen=True, slots=True)
class Collection:
    """What is followed: a path, narrowed by a label selector."""

    path: str
    label_selector: str | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """When to list anew although nothing broke, and how long to wait after a failure; seconds.

    ``relist`` is counted from the last listing and honoured when the watch then running ends, so that
    with watches of 300 s a copy is at most 15 minutes from the truth, whatever a watch kept to itself.
    """

    relist: float = 600.0
    retry: float = 0.5
    retry_limit: float = 20.0
    short_watch: float = 1.0  # a watch that ends sooner counts as a failure, or we would spin


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and chance, to be replaced in tests."""

    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[float, float], float] = random.uniform


class Reflector:
    """Keeps one mirror equal to one collection until it is cancelled."""

    def __init__(
        self,
        client: KubeClient,
        collection: Collection,
        mirror: Mirror,
        *,
        pace: Pace | None = None,
        chance: Chance | None = None,
    ) -> None:
        self._client = client
        self._path = collection.path
        self._label_selector = collection.label_selector
        self._mirror = mirror
        self._pace = pace or Pace()
        self._chance = chance or Chance()
        self._failures = 0
        self._last_complaint = ""

    async def run(self) -> None:
        """Never returns; while the API server is away the mirror simply keeps what it has."""
        while True:
            try:
                await self._follow(await self._list())
            except KubeError as error:
                await self._wait_after(error)

    async def _list(self) -> str:
        items, version = await self._client.list_all(self._path, label_selector=self._label_selector)
        self._succeeded()
        self._mirror.listed(items)
        return version

    async def _follow(self, version: str) -> None:
        """Watch after watch from ``version``; returns when it is time, or necessary, to list anew."""
        relist_at = self._chance.monotonic() + self._pace.relist * self._chance.jitter(0.8, 1.2)
        while self._chance.monotonic() < relist_at:
            began = self._chance.monotonic()
            failure: KubeError | None = None
            try:
                async with aclosing(
                    self._client.watch(self._path, version, label_selector=self._label_selector)
                ) as events:
                    async for event in events:
                        version = self._take(event)
            except GoneError:
                return
            except KubeError as error:
                failure = error
            if failure or self._chance.monotonic() - began < self._pace.short_watch:
                await self._wait_after(failure)

    def _take(self, event: WatchEvent) -> str:
        self._succeeded()
        if event.type != "BOOKMARK":
            self._mirror.changed(event)
        return event.resource_version

    def _succeeded(self) -> None:
        if self._last_complaint:
            _logger.info("%s: the API server answers again", self._path)
        self._failures = 0
        self._last_complaint = ""

    async def _wait_after(self, failure: KubeError | None) -> None:
        complaint = str(failure or "")
        if complaint and complaint != self._last_complaint:
            _logger.warning("%s: %s; keeping what is known and trying again", self._path, complaint)
            self._last_complaint = complaint
        delay = min(self._pace.retry_limit, self._pace.retry * 2.0 ** min(self._failures, 16))
        self._failures += 1
        await asyncio.sleep(delay * self._chance.jitter(0.5, 1.0))
