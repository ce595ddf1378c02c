"""Asks the substrate for a first worker, level-triggered: while requests wait and no worker is seen."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.domain.wake_pace import ASKED_LIMIT, WakePace, WakeResult
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.substrate import Substrate

_log = logging.getLogger("tidegate.gateway")


class Sleeper(Protocol):
    """A service as the waker sees it."""

    key: ServiceKey

    def must_wake(self) -> bool:
        """True while requests wait and no worker is there or on its way."""
        ...

    def wake_rest(self) -> float:
        """Seconds for which nobody may be woken; 0 or less: now."""
        ...

    def waking(self) -> None:
        """A wake is about to be asked for."""
        ...

    def wake_accepted(self, *, changed: bool) -> None:
        """It was accepted; ``changed`` False: somebody had asked for a worker before."""
        ...

    def wake_refused(self, reason: str) -> None:
        """It was refused, or took too long."""
        ...


@dataclass(slots=True)
class _Waking:
    """One service that is being woken; ``seen``: a worker of it was, or nobody waits any more."""

    task: asyncio.Task[None]
    seen: asyncio.Event


class Waker:
    """At most one task a service, which makes at most one wake in ``wake_interval``; see WakePace.

    ``jitter``: (lowest factor, highest factor) → factor, so that a thousand services do not all ask at one
    moment. ``sleep``: waits so many seconds.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        substrate: Substrate,
        jitter: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Coroutine[None, None, None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._substrate = substrate
        self._jitter = jitter
        self._sleep = sleep
        self._waking: dict[ServiceKey, _Waking] = {}

    def poke(self, service: Sleeper) -> None:
        """A request of ``service`` waits, or its workers changed: it is woken where that is necessary."""
        waking, must = self._waking.get(service.key), service.must_wake()
        if waking is not None and not must:
            waking.seen.set()
        elif waking is None and must:
            seen = asyncio.Event()
            task = asyncio.create_task(self._wake_while_needed(service, seen))
            self._waking[service.key] = _Waking(task, seen)
            task.add_done_callback(_log_failure)

    async def _wake_while_needed(self, service: Sleeper, seen: asyncio.Event) -> None:
        pace = WakePace(self._settings.wake_interval)
        try:
            while service.must_wake():
                rest = service.wake_rest()
                if rest > 0:
                    await self._sleep(min(rest, self._settings.wake_interval))
                else:
                    await self._wake_then_pause(service, seen, pace)
        finally:
            self._waking.pop(service.key, None)

    async def _wake_then_pause(self, service: Sleeper, seen: asyncio.Event, pace: WakePace) -> None:
        """A pause beyond the interval ends when a worker is seen: what comes after it is another wake."""
        result, asked_for = await self._wake(service)
        interval = self._settings.wake_interval
        pause = max(pace.after(result), min(asked_for, interval * ASKED_LIMIT))
        pause *= 1.0 if result is WakeResult.RAISED else self._jitter(1.0, 1.5)
        await self._sleep(min(pause, interval))
        if pause > interval:
            await self._until_seen(seen, pause - interval)
        seen.clear()

    async def _until_seen(self, seen: asyncio.Event, seconds: float) -> None:
        sleeping = asyncio.create_task(self._sleep(seconds))
        waiting = asyncio.create_task(seen.wait())
        try:
            await asyncio.wait((sleeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waiting.cancel()

    async def _wake(self, service: Sleeper) -> tuple[WakeResult, float]:
        """What became of it, and the seconds that whoever refused it asks for."""
        service.waking()
        try:
            async with asyncio.timeout(self._settings.wake_timeout):
                changed = await self._substrate.wake(service.key)
        except WakeError as error:
            service.wake_refused(str(error))
            return WakeResult.REFUSED, error.retry_after
        except TimeoutError:
            service.wake_refused(f"no answer to the wake within {self._settings.wake_timeout:g} s")
            return WakeResult.REFUSED, 0.0
        service.wake_accepted(changed=changed)
        if changed:
            _log.info("woke %s", service.key)
        return (WakeResult.RAISED if changed else WakeResult.UNCHANGED), 0.0

    async def close(self) -> None:
        """Ends every task."""
        tasks = [waking.task for waking in self._waking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    """A substrate that fails in an unforeseen way costs one wake, not the service: the sweep asks again."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a wake failed: %s: %s", type(error).__name__, error)
