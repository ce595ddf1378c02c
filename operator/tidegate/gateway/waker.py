"""Asks the substrate for a first worker, level-triggered: while requests wait and no worker is seen."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.domain.wake_pace import WakePace, WakeResult
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


class Waker:
    """At most one task a service. After a wake that raised the scale the next one comes ``wake_interval``
    later at the earliest; one that was refused is tried again sooner, see WakePace.

    ``jitter``: (lowest factor, highest factor) → factor, so that a thousand services do not all ask at one
    moment. ``sleep``: waits so many seconds.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        substrate: Substrate,
        jitter: Callable[[float, float], float] = random.uniform,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._substrate = substrate
        self._jitter = jitter
        self._sleep = sleep
        self._tasks: dict[ServiceKey, asyncio.Task[None]] = {}

    def poke(self, service: Sleeper) -> None:
        """A request of ``service`` waits; it is woken where that is necessary."""
        if service.key not in self._tasks and service.must_wake():
            task = asyncio.create_task(self._wake_while_needed(service))
            self._tasks[service.key] = task
            task.add_done_callback(_log_failure)

    async def _wake_while_needed(self, service: Sleeper) -> None:
        pace = WakePace(self._settings.wake_interval)
        try:
            while service.must_wake():
                rest = service.wake_rest()
                if rest > 0:
                    await self._sleep(min(rest, self._settings.wake_interval))
                else:
                    await self._wake_then_pause(service, pace)
        finally:
            self._tasks.pop(service.key, None)

    async def _wake_then_pause(self, service: Sleeper, pace: WakePace) -> None:
        result, at_least = await self._wake(service)
        pause = max(pace.after(result), at_least)
        jitter = 1.0 if result is WakeResult.RAISED else self._jitter(1.0, 1.5)
        await self._sleep(pause * jitter)

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
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    """A substrate that fails in an unforeseen way costs one wake, not the service: the sweep asks again."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a wake failed: %s: %s", type(error).__name__, error)
