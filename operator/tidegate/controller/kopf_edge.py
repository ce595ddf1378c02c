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
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import kopf

from tidegate.controller.handlers import kopf_settings
from tidegate.controller.home import teller
from tidegate.kube.login import current_login

_logger = logging.getLogger(__name__)

END_BUDGET = 3.0  # seconds; then the thread is left behind, and ends with the process
ATTEMPTS = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between kopf's own tries of one request
LONG = 60.0  # seconds; kopf that ran so long is started again at once


@dataclass(frozen=True)
class KopfSettings:
    """``namespace``: the only one that is watched, None: all. ``restarted``: called after each start but the
    first one. Times in seconds."""

    namespace: str | None = None
    restarted: Callable[[], None] = lambda: None
    retry: float = 0.5
    retry_limit: float = 15.0
    jitter: Callable[[float, float], float] = random.uniform


class JitteredPauses:
    """How long kopf waits between two tries of a request; different each time that it is asked."""

    def __init__(self, jitter: Callable[[float, float], float]) -> None:
        self._jitter = jitter

    def __iter__(self) -> Iterator[float]:
        return (seconds * self._jitter(0.5, 1.0) for seconds in ATTEMPTS)

    def __len__(self) -> int:
        return len(ATTEMPTS)


def new_registry() -> kopf.OperatorRegistry:
    """A registry that logs in as our own client does."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.ConnectionInfo:
        found = await current_login()
        return kopf.ConnectionInfo(
            server=found.server,
            ca_path=found.ca_path,
            certificate_path=found.certificate_path,
            private_key_path=found.private_key_path,
            scheme="Bearer" if found.token else None,
            token=found.token,
            insecure=found.insecure,
        )

    return registry


async def run_kopf(registry: kopf.OperatorRegistry, settings: KopfSettings) -> None:
    """Have kopf feed its handlers until cancelled, whatever ends it meanwhile."""
    delay, first = settings.retry, True
    while True:
        began = time.monotonic()
        async with _Thread(registry, settings.namespace) as thread:
            if not first:
                await thread.started.wait()
                settings.restarted()
            why = await thread.ended
        first = False
        delay = settings.retry if time.monotonic() - began > LONG else delay
        _logger.warning("the watches ended and are begun anew: %s", why)
        await asyncio.sleep(delay * settings.jitter(0.5, 1.0))
        delay = min(delay * 2, settings.retry_limit)


class _Thread:
    """kopf, once. ``ended`` becomes the reason of its end."""

    def __init__(self, registry: kopf.OperatorRegistry, namespace: str | None) -> None:
        self._registry = registry
        self._namespace = namespace
        self._tell = teller()
        self._stop: Callable[[], None] | None = None  # once kopf's loop turns
        self.started = asyncio.Event()
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
        why = "kopf has ended by itself"
        try:
            asyncio.run(self._operate())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  it is begun anew in any case
            why = f"{type(error).__name__}: {error}"
        finally:
            self._tell(self._ends, why)

    async def _operate(self) -> None:
        end, ready = asyncio.Event(), asyncio.Event()
        tell_end = teller()
        self._tell(self._runs, lambda: tell_end(end.set))
        waiter = asyncio.create_task(self._tell_started(ready))
        try:
            await self._kopf(end, ready)
        finally:
            waiter.cancel()

    async def _kopf(self, end: asyncio.Event, ready: asyncio.Event) -> None:
        settings = kopf_settings()
        settings.networking.error_backoffs = JitteredPauses(random.uniform)
        await kopf.operator(
            registry=self._registry,
            settings=settings,
            clusterwide=self._namespace is None,
            namespaces=[self._namespace] if self._namespace else [],
            standalone=True,
            stop_flag=end,
            ready_flag=ready,
        )

    async def _tell_started(self, ready: asyncio.Event) -> None:
        await ready.wait()
        self._tell(self.started.set)

    def _runs(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def _ends(self, why: str) -> None:
        self.started.set()
        if not self.ended.done():
            self.ended.set_result(why)
