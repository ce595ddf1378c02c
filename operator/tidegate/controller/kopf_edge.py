"""kopf as a source of events that may end at any time: it is started again, and everything is listed anew.

kopf takes all of its event loop for its own: signals, and every task that was made since it began, which it
cancels at its end. So it gets a loop of its own, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import kopf

from tidegate.controller.handlers import RESOURCES, kopf_settings
from tidegate.controller.home import teller
from tidegate.controller.kopf_session import Sessions

_logger = logging.getLogger(__name__)

CANCEL_BUDGET = 1.0  # seconds for kopf's tasks; those that have not ended then are left behind
CANCEL_AGAIN = 0.05  # seconds; kopf pauses for 0.1 s between two watches, and heeds a cancellation then
END_BUDGET = 3.0  # seconds; then the thread is left behind, and ends with the process
ATTEMPTS = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between kopf's own tries of one request
LONG = 20.0  # seconds; kopf that ran so long is started again at once


@dataclass(frozen=True)
class KopfSettings:
    """``namespace``: the only one that is watched, None: all. ``listed``: called after each time that kopf
    has begun a watch with a listing. ``unlisted``: the plurals of which such a listing finds nothing, because
    somebody else lists them. Times in seconds."""

    namespace: str | None = None
    listed: Callable[[], None] = lambda: None
    unlisted: Collection[str] = field(default_factory=lambda: [plural for _, _, plural in RESOURCES.values()])
    retry: float = 0.5
    retry_limit: float = 10.0
    jitter: Callable[[float, float], float] = random.uniform


class JitteredPauses:
    """How long kopf waits between two tries of a request; different each time that it is asked."""

    def __init__(self, jitter: Callable[[float, float], float]) -> None:
        self._jitter = jitter

    def __iter__(self) -> Iterator[float]:
        return (seconds * self._jitter(0.5, 1.0) for seconds in ATTEMPTS)

    def __len__(self) -> int:
        return len(ATTEMPTS)


async def run_kopf(registry: kopf.OperatorRegistry, settings: KopfSettings) -> None:
    """Have kopf feed its handlers until cancelled, whatever ends it meanwhile; it logs in as KubeClient."""
    tell = teller()
    sessions = Sessions(settings.unlisted, lambda: tell(settings.listed))
    kopf.on.login(registry=registry)(_login(sessions))
    delay = settings.retry
    while True:
        began = time.monotonic()
        async with _Thread(registry, settings.namespace, sessions) as thread:
            why = await thread.ended
        delay = settings.retry if time.monotonic() - began > LONG else delay
        _logger.warning("the watches ended and are begun anew: %s", why)
        await asyncio.sleep(delay * settings.jitter(0.5, 1.0))
        delay = min(delay * 2, settings.retry_limit)


def _login(sessions: Sessions) -> Callable[..., Any]:
    async def login(**_: object) -> kopf.AiohttpSession:
        return await sessions.login()

    return login


class _Thread:
    """kopf, once. ``ended`` becomes the reason of its end."""

    def __init__(self, registry: kopf.OperatorRegistry, namespace: str | None, sessions: Sessions) -> None:
        self._registry = registry
        self._namespace = namespace
        self._sessions = sessions
        self._tell = teller()
        self._stop: Callable[[], None] | None = None  # once kopf's loop turns
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> _Thread:
        threading.Thread(target=self._run, name="kopf", daemon=True).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._stop:
            self._stop()
        done, _pending = await asyncio.wait([self.ended], timeout=END_BUDGET)
        if not done:
            _logger.warning("kopf does not end within %g s", END_BUDGET)

    def _run(self) -> None:
        """Not asyncio.run: that waits for every task at the end, and kopf's may never end."""
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(_note)
        why = "its thread has ended"
        try:
            why = loop.run_until_complete(self._operate())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is begun anew in any case
            why = f"{type(error).__name__}: {error}"
        finally:
            self._tell(self._ends, why)
            loop.close()

    async def _operate(self) -> str:
        end = asyncio.Event()
        tell_end = teller()
        self._tell(self._runs, lambda: tell_end(end.set))
        waiter = asyncio.create_task(end.wait())
        try:
            tasks = await self._kopf()
            done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
            return _reason(done)
        finally:
            await _cancel_all()
            await self._sessions.close()

    async def _kopf(self) -> Collection[asyncio.Task[Any]]:
        settings = kopf_settings()
        settings.networking.error_backoffs = JitteredPauses(random.uniform)
        return await kopf.spawn_tasks(
            registry=self._registry,
            settings=settings,
            clusterwide=self._namespace is None,
            namespaces=[self._namespace] if self._namespace else [],
            standalone=True,
        )

    def _runs(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def _ends(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)


async def _cancel_all() -> None:
    """kopf's own end has no limit: it would wait for a task whose waker it has cancelled before.

    Cancelled again and again, since a watch that is being asked for takes a cancellation for a pause.
    """
    others = asyncio.all_tasks() - {asyncio.current_task()}
    until = time.monotonic() + CANCEL_BUDGET
    while others and time.monotonic() < until:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=CANCEL_AGAIN)
        others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        _logger.debug("left behind by kopf: %r", task)


def _reason(done: Collection[asyncio.Task[Any]]) -> str:
    errors = [error for task in done if not task.cancelled() and (error := task.exception())]
    return f"{type(errors[0]).__name__}: {errors[0]}" if errors else "kopf has ended by itself"


def _note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What kopf leaves behind at its end is nobody's concern."""
    _logger.debug("in kopf's loop: %s", context.get("message"), exc_info=context.get("exception"))
