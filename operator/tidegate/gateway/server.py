"""A gateway process: two ports, the substrate's watch, the sweep, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import sys
import time
from types import TracebackType

from tidegate.gateway.accesslog import AccessLog
from tidegate.gateway.admin import Admin
from tidegate.gateway.backlog import accept_backlog
from tidegate.gateway.exchange import Exchange
from tidegate.gateway.fleet import Fleet
from tidegate.gateway.guard import guarded
from tidegate.gateway.listening import listen
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.substrate import Substrate
from tidegate.gateway.traffic import Traffic

_log = logging.getLogger("tidegate.gateway")
_SWEEP_SECONDS = 0.25  # how late a time limit may be noticed
_WATCH_AGAIN_SECONDS = 1.0
_BACKLOG = 4096


class Gateway:
    """One gateway, used as a context: listening inside it, gone after it. Several fit in one process."""

    def __init__(
        self,
        settings: GatewaySettings,
        substrate: Substrate,
        log: AccessLog | None = None,
        peers: PeerSource | None = None,
    ) -> None:
        self._settings = settings
        self._substrate = substrate
        # Not the loop's clock: uvloop's stands still within one turn of the loop.
        self._time = time.monotonic
        self.fleet = Fleet(settings, substrate, self._time, peers)
        self.log = log or AccessLog(_to_stdout if settings.access_log else None)
        self.traffic = Traffic(settings, self.fleet, self.log, self._time)
        self.admin = Admin(settings, self.traffic)
        if self.fleet.mesh is not None:
            self.fleet.mesh.requests = self.traffic.tickets
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The traffic port that is listened on."""
        return int(self._servers[0].sockets[0].getsockname()[1])

    @property
    def admin_port(self) -> int:
        """The admin port that is listened on."""
        return int(self._servers[1].sockets[0].getsockname()[1])

    async def __aenter__(self) -> Gateway:
        loop, settings = asyncio.get_running_loop(), self._settings
        traffic, admin = self.traffic, self.admin
        self._servers = [
            await listen(
                *("--listen", traffic.connection, settings.listen_host, settings.listen_port),
                backlog=_BACKLOG,
            ),
            await listen("--admin-listen", admin.connection, settings.admin_host, settings.admin_port),
        ]
        if self.fleet.mesh is not None:
            await self.fleet.mesh.start()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(self._sweep())]
        traffic.alive = lambda: not any(task.done() for task in self._tasks)
        form = "listening: traffic on port %d, admin on port %d, the data path is %s"
        _log.info(form, self.port, self.admin_port, data_path())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.traffic.close()
        await self.admin.close()
        await self.fleet.close()
        await self.log.close()

    async def _watch(self) -> None:
        """Keeps the substrate's watch running; while it does not, the last that was seen holds."""
        while True:
            self.fleet.watch_begins()
            watch = asyncio.ensure_future(self._substrate.watch(self.fleet))
            try:
                await asyncio.wait([watch])
            finally:
                watch.cancel()
            error = None if watch.cancelled() else watch.exception()
            _log.error("the watch of the services ended, and begins again: %r", error, exc_info=error)
            await asyncio.sleep(_WATCH_AGAIN_SECONDS)

    async def _sweep(self) -> None:
        round_ = 0
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._time()
            guarded(self.traffic.sweep, now)
            guarded(self.admin.sweep, now)
            guarded(self.log.flush)
            if self.fleet.mesh is not None:
                guarded(self.fleet.mesh.sweep, now)
            round_ += 1
            if round_ % 4 == 0:
                guarded(self.fleet.sweep, now)

    async def drain(self) -> None:
        """Accepts nothing new, lets what runs finish, and ends what is left after ``drain_seconds``."""
        self.traffic.draining = True
        if self.fleet.mesh is not None:
            self.fleet.mesh.leave()
        await accept_backlog(self._servers[0], self.traffic.connection)
        end = self._time() + self._settings.drain_seconds
        while self.traffic.connections and self._time() < end:
            for connection in list(self.traffic.connections):
                connection.drain()
            await asyncio.sleep(0.02)
        for connection in list(self.traffic.connections):
            if isinstance(connection.current, Exchange):
                connection.current.abandon()


async def serve(settings: GatewaySettings, substrate: Substrate, peers: PeerSource | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then drains. OSError where a port cannot be listened on."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Gateway(settings, substrate, peers=peers) as gateway:
            gc.collect()
            gc.freeze()  # what lives as long as the process is never looked at again
            await stop.wait()
            form = "stopping: finishing %d connections, within %g s (--drain-seconds)"
            _log.info(form, len(gateway.traffic.connections), settings.drain_seconds)
            await gateway.drain()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)


def _to_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def data_path() -> str:
    """Whether this process runs the data path as C extensions: ``compiled`` or ``interpreted``."""
    file = sys.modules[Exchange.__module__].__file__ or ""
    return "interpreted" if file.endswith(".py") else "compiled"
