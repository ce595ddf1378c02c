"""The parts of a ``tidegate up``, and the order in which they start and end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tidegate import __version__
from tidegate.cli.console import Console
from tidegate.cli.ending import Ending
from tidegate.cli.gateway_beside import GatewayBeside
from tidegate.cli.local_end import LocalEnd
from tidegate.cli.local_teller import LocalTeller
from tidegate.domain.service import ServiceKey
from tidegate.gateway.settings import GatewaySettings
from tidegate.local.asking.control_socket import control_socket
from tidegate.local.asking.wire import written
from tidegate.local.latest_writes import LatestWrites
from tidegate.local.machine.node import Node
from tidegate.local.machine.node_settings import NodeSettings
from tidegate.local.manifests.legacy_environment import Legacy, sentences, with_legacy
from tidegate.local.supervision.supervisor import Supervisor, SupervisorSettings
from tidegate.local.worker.engines import engine_settings, found
from tidegate.local.worker.templates import build

_log = logging.getLogger("tidegate.local")


@dataclass(frozen=True)
class UpSettings:
    """What the command line and the environment say. ``state``: held by this process. ``root`` None: the
    user's own cache folder. ``worker_files``: see NodeSettings."""

    manifests: tuple[str, ...]
    state: Path
    root: Path | None
    gateway: GatewaySettings
    default_max_depth: int
    legacy: Legacy
    worker_files: int | None = None


async def up(settings: UpSettings) -> int:
    """Serves until it is told to end. The exit code; OSError and ValueError: why it could not start."""
    with Console(sys.stderr) as console:
        return await _Up(settings, console).run()


class _Up:
    """Also what answers at the control socket."""

    def __init__(self, settings: UpSettings, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._ending = Ending(console.say)
        self._gateway = GatewayBeside(settings.gateway)
        self._engines = engine_settings(settings.root, os.environ)
        self._http = httpx.AsyncClient(trust_env=False)
        self._node = Node(self._node_settings())
        self._teller = LocalTeller(console, self._http, self._node.of)
        self._records = LatestWrites("tidegate-services")
        self._supervisor: Supervisor | None = None

    async def run(self) -> int:
        """The exit code."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._ending.on_signals())
            await stack.enter_async_context(self._http)
            await stack.enter_async_context(self._gateway)
            self._supervisor = supervisor = Supervisor(self._supervisor_settings(), self._node)
            stack.callback(self._records.close)
            stack.callback(self._node.close)  # also where nothing was ever started
            if not await self._done(self._node.open()):
                self._console.say("ended before it had taken over what an earlier `tidegate up` left")
                return 0
            if not await self._done(supervisor.check()):  # it tells of the workers that were adopted, too
                await LocalEnd(self._console, self._ending, self._gateway, self._node).workers()
                self._console.say("ended before the manifests were read")
                return 0
            self._gateway.serve(supervisor)
            await stack.enter_async_context(control_socket(self._settings.state, self))
            stack.push_async_callback(self._teller.close)
            stack.callback(self._console.lines.close)
            self._greet()
            gc.collect()
            gc.freeze()  # what lives as long as the process is never looked at again
            return await self._serve(supervisor)

    async def _done(self, step: Coroutine[Any, Any, None]) -> bool:
        """Whether it is; False where this process is told to end before that."""
        doing = asyncio.create_task(step)
        asked = asyncio.create_task(self._ending.asked.wait())
        try:
            await asyncio.wait((doing, asked), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return doing.done()
        finally:
            await _cancelled(doing, asked)

    def _node_settings(self) -> NodeSettings:
        settings = self._settings
        return NodeSettings(
            state=settings.state, changed=self._pods_changed, worker_files=settings.worker_files
        )

    def _supervisor_settings(self) -> SupervisorSettings:
        settings = self._settings
        return SupervisorSettings(
            manifests=settings.manifests,
            state=settings.state,
            build=lambda service, secrets: build(service, secrets, self._engines),
            demand=self._gateway.demand,
            http=self._http,
            url_base=self._gateway.url,
            told=self._teller.told,
            busy=self._gateway.busy,
            counts=self._gateway.counts,
            put=self._records.put,
            default_max_depth=settings.default_max_depth,
            defaults=partial(with_legacy, settings.legacy),
        )

    def _greet(self) -> None:
        traffic, admin = self._gateway.ports
        lines = [
            f"tidegate {__version__}",
            f"listening: traffic on port {traffic}, admin on port {admin}",
            f"clients:   {self._gateway.url}/v1",
            f"engine:    {found(self._engines)}",
            f"state:     {self._settings.state}",
            *(f"set:       {sentence}" for sentence in sentences(self._settings.legacy)),
            "Ctrl-C or `tidegate down` ends it; `tidegate get`, `describe`, `logs` and `explain` tell more",
        ]
        self._console.say(*lines, timed=False)

    async def _serve(self, supervisor: Supervisor) -> int:
        """Until it is told to end, or one of its parts fails; then the workers go on, for the next one to
        adopt."""
        parts = [asyncio.create_task(self._node.run()), asyncio.create_task(supervisor.run())]
        asked = asyncio.create_task(self._ending.asked.wait())
        end = LocalEnd(self._console, self._ending, self._gateway, self._node)
        try:
            await asyncio.wait([*parts, asked], return_when=asyncio.FIRST_COMPLETED)
            failed = next((part for part in parts if part.done()), None)
            if failed is None:
                await end.requests()
                await _cancelled(parts[1])
                await end.workers()
                self._console.say("ended")
                return 0
            _log.error("a part that must not end has ended", exc_info=failed.exception())
            said = "the workers go on, and the next `tidegate up` takes them over"
            self._console.say(f"ending: a defect, reported above; {said}")
            return 1
        finally:
            await _cancelled(asked, *parts)

    def _pods_changed(self, key: ServiceKey) -> None:
        if self._supervisor is not None:
            self._supervisor.changed(key)

    # -- Answers

    def services(self) -> dict[str, Any]:
        """See Answers."""
        shown = self._supervisor.shown() if self._supervisor is not None else []
        return {
            "up": {"pid": os.getpid(), "version": __version__, "url": self._gateway.url},
            "now": time.time(),
            "items": written(shown, self._teller.news.all()),
        }

    def changes(self) -> AsyncIterator[bool]:
        """See Answers."""
        return self._teller.changes.heard()

    def stop(self, *, at_once: bool) -> AsyncIterator[str]:
        """See Answers."""
        self._ending.ask(at_once=at_once)
        return self._console.lines.heard()


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
