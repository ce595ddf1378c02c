"""Asks starting workers whether they answer, so that nobody waits for the kubelet's probe period."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from tidegate.domain.flow_ticket import EndpointKey
from tidegate.domain.probe_pace import ProbeResult, pause_after
from tidegate.domain.service import ServiceKey
from tidegate.gateway.settings import GatewaySettings

_log = logging.getLogger("tidegate.gateway")
_CONNECT_SECONDS = (
    0.2  # a node away that is a hundred times what it takes; a lost packet comes again after 1 s
)


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
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while True:
            result = await self._probe(key, service.readiness_path())
            if service.probed(key, answers=result is ProbeResult.ANSWERS):
                return
            await self._pause(
                service, pause_after(result, loop.time() - begun, self._settings.probe_interval)
            )

    async def _pause(self, service: Probed, seconds: float) -> None:
        """So many while requests wait; otherwise the long interval, cut short when one comes."""
        await asyncio.sleep(seconds)
        if not service.anyone_waits():
            service.hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.calm_probe_interval):
                    await service.hurry.wait()

    async def _probe(self, key: EndpointKey, path: str) -> ProbeResult:
        async with self._slots:
            try:
                return await self._met(key, path)
            except Exception:  # noqa: BLE001 - it is logged; a probe that ended would never be made again
                _log.exception("a probe of %s:%d failed", key.host, key.port)
                return ProbeResult.OPEN

    async def _met(self, key: EndpointKey, path: str) -> ProbeResult:
        try:
            reader, writer = await self._connect(key)
        except (OSError, ValueError):  # a host can be no host at all
            return ProbeResult.CLOSED
        try:
            async with asyncio.timeout(self._settings.probe_timeout):
                answers = await _answers_200(reader, writer, key, path)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return ProbeResult.OPEN
        finally:
            writer.transport.abort()
        return ProbeResult.ANSWERS if answers else ProbeResult.OPEN

    async def _connect(self, key: EndpointKey) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(min(_CONNECT_SECONDS, self._settings.probe_timeout)):
            return await asyncio.open_connection(key.host, key.port)

    async def close(self) -> None:
        """Ends every probe."""
        tasks = [task for of_service in self._tasks.values() for task in of_service.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answers_200(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: EndpointKey, path: str
) -> bool:
    host = f"[{key.host}]" if ":" in key.host else key.host
    ask = f"GET {path} HTTP/1.1\r\nhost: {host}:{key.port}\r\nconnection: close\r\n\r\n"
    writer.write(ask.encode())
    line = await reader.readuntil(b"\r\n")
    return line.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))
