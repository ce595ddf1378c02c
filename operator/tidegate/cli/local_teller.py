"""Tells what happens to the services of this machine, at the moment at which it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import httpx

from tidegate.cli.console import Console
from tidegate.cli.listeners import Listeners
from tidegate.cli.local_lines import PHASE_WIDTH, called, first_line, lines
from tidegate.domain.events import COLD_START
from tidegate.domain.loose import Json, mapping, text
from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.news import News
from tidegate.resources.names import WORKER_ISOLATION_PORT
from tidegate.views.start_table import start_parts, start_table

_BUDGET: Final = 2.0  # seconds for a worker's answer
_NARROWEST: Final = 8  # columns of the services' names

Pods = Callable[[ServiceKey], Sequence[Json]]


class LocalTeller:
    """``pods``: the workers of a service, as they are now."""

    def __init__(self, console: Console, http: httpx.AsyncClient, pods: Pods) -> None:
        self.news = News(time.time)
        self.changes: Listeners[bool] = Listeners(most=1)  # that something changed, for whoever watches
        self._console = console
        self._http = http
        self._pods = pods
        self._width = _NARROWEST
        self._last: dict[ServiceKey, str] = {}  # what stood beside the phase in the last line
        self._asking: set[asyncio.Task[None]] = set()

    def told(self, before: Json, after: Json) -> None:
        """A service's document changed: it had none before, or has none any more, where one is empty."""
        change = self.news.take(before, after)
        if not after:
            self._last.pop(change.key, None)
            self._say(change.key, "gone")
        elif not _has_phase(after):  # it was read, and not looked at yet: its name is known to all lines
            self._width = max(self._width, len(called(change.key)))
            return
        elif not _has_phase(before):
            self._say(change.key, first_line(after))
        else:
            for line in lines(change, after):
                self._say(change.key, self._shortened(change.key, line))
        if any(each.reason == COLD_START for each in change.news):
            self._later(self._cold_start(change.key, mapping(mapping(after.get("status")).get("coldStarts"))))
        self.changes.tell(True)

    async def close(self) -> None:
        """Ends what is under way; nobody hears anything any more."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        self.changes.close()

    def _say(self, key: ServiceKey, *said: str) -> None:
        self._width = max(self._width, len(called(key)))
        first, *more = said
        self._console.say(f"{called(key):<{self._width}}  {first}", *more)

    def _shortened(self, key: ServiceKey, line: str) -> str:
        """Without the cause, where the line before had the same: of a start that fails first the cause is
        known, and then that it is not tried again at once."""
        phase, cause = line[:PHASE_WIDTH], line[PHASE_WIDTH:].strip()
        same = bool(phase.strip() and cause) and cause == self._last.get(key)
        self._last[key] = cause
        return phase.rstrip() if same else line

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _cold_start(self, key: ServiceKey, told: Json) -> None:
        parts = mapping(told.get("parts"))
        marks = await self._marks(key, text(told.get("lastWorker")))
        until = "the first byte of its answer" if "firstByte" in parts else "a worker that is ready"
        head = f"cold start: {text(told.get('lastSeconds'))} s from the request to {until}"
        self._say(key, head, *start_table(start_parts(parts, marks)))

    async def _marks(self, key: ServiceKey, worker: str) -> Json:
        """What the worker tells of its own start; empty where it tells nothing."""
        found = (pod for pod in self._pods(key) if mapping(pod.get("metadata")).get("name") == worker)
        host = text(mapping(next(found, {}).get("status")).get("podIP"))
        if not host:
            return {}
        try:
            url = f"http://{host}:{WORKER_ISOLATION_PORT}/start"
            answer = await self._http.get(url, timeout=_BUDGET)
            return mapping(answer.json()) if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            return {}


def _has_phase(service: Json) -> bool:
    return "phase" in mapping(service.get("status"))
