"""Asks starting workers whether they answer, so that nobody waits for the kubelet's probe period."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from tidegate.domain.flow_ticket import EndpointKey
from tidegate.domain.service import ServiceKey
from tidegate.gateway.settings import GatewaySettings

_log = logging.getLogger("tidegate.gateway")
_CALM_SECONDS = 1.0  # between two probes where no request waits


class Probed(Protocol):
    """A service whose workers are probed."""

    key: ServiceKey
    hurry: asyncio.Event  # set when a request begins to wait

    def anyone_waits(self) -> bool:
        """True while requests wait."""
        ...

    def readiness_path(self) -> str:
        """What to ask for."""
        ...

    def probed(self, key: EndpointKey, *, answers: bool) -> bool:
        """What a probe found; True where that settles it and no more are needed."""
        ...


class Prober:
    """One task for each worker that is being waited for; it ends with the first 200, or when told."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.probes_at_once)
        self._tasks: dict[ServiceKey, dict[EndpointKey, asyncio.Task[None]]] = {}

    def want(self, service: Probed, keys: set[EndpointKey]) -> None:
        """Probes exactly ``keys`` of this service from now on. May be called from ``probed``."""
        if not keys and service.key not in self._tasks:
            return
        tasks = self._tasks.setdefault(service.key, {})
        for key in [k for k in tasks if k not in keys]:
            task = tasks.pop(key)
            if task is not asyncio.current_task():
                task.cancel()
        for key in keys:
            if key not in tasks or tasks[key].done():
                tasks[key] = asyncio.create_task(self._until_ready(service, key))
        if not tasks:
            del self._tasks[service.key]

    async def _until_ready(self, service: Probed, key: EndpointKey) -> None:
        while not service.probed(key, answers=await self._probe(key, service.readiness_path())):
            await self._pause(service)

    async def _pause(self, service: Probed) -> None:
        """The short interval while requests wait; otherwise the long one, cut short when one comes."""
        if not service.anyone_waits():
            service.hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(service.hurry.wait(), _CALM_SECONDS)
        await asyncio.sleep(self._settings.probe_interval)

    async def _probe(self, key: EndpointKey, path: str) -> bool:
        async with self._slots:
            try:
                async with asyncio.timeout(self._settings.probe_timeout):
                    return await _answers_200(key, path)
            except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                return False
            except Exception:  # noqa: BLE001 - it is logged; a probe that ended would never be made again
                _log.exception("a probe of %s:%d failed", key.host, key.port)
                return False

    async def close(self) -> None:
        """Ends every probe."""
        tasks = [task for of_service in self._tasks.values() for task in of_service.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers_200(key: EndpointKey, path: str) -> bool:
    reader, writer = await asyncio.open_connection(key.host, key.port)
    try:
        host = f"[{key.host}]" if ":" in key.host else key.host
        ask = f"GET {path} HTTP/1.1\r\nhost: {host}:{key.port}\r\nconnection: close\r\n\r\n"
        writer.write(ask.encode())
        line = await reader.readuntil(b"\r\n")
    finally:
        writer.transport.abort()
    return line.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
