"""The life of one worker: its process is started, asked, ended, and started again, until it is deleted."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from tidegate.domain.core_list import Cores
from tidegate.local.machine.addresses import port_in_use, taken_port
from tidegate.local.machine.node_host import Host
from tidegate.local.machine.pod_ends import cannot_start, end_of
from tidegate.local.machine.readiness import Readiness, ask
from tidegate.local.processes.group_ends import last_end
from tidegate.local.processes.watched import Watched
from tidegate.local.worker.life_pace import LifePace
from tidegate.local.worker.pod_state import PodState, Process
from tidegate.local.worker.template import WorkerTemplate

_logger = logging.getLogger(__name__)

PORT_IN_USE = "PortInUse"
PORT_SECONDS = 1.0  # until a port that somebody has is looked at again
TERMINATED, KILLED = 128 + signal.SIGTERM, 128 + signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a life asks those around it: ``commit`` is told of every change, ``cores`` are those that a worker
    without its own may run on now, ``address`` is one that nobody has, None where there is none. ``written``
    returns when all that was committed is on the disk."""

    host: Host
    commit: Callable[[PodState], None]
    cores: Callable[[PodState], Cores]
    address: Callable[[], str | None]
    written: Callable[[], Awaitable[None]]


class Life:
    """``template``: None of an adopted one until that is known. ``run`` may be cancelled and run again."""

    def __init__(self, state: PodState, around: Surroundings, template: WorkerTemplate | None = None) -> None:
        self.state = state
        self.template = template
        self._around = around
        self._host = around.host
        self._deleted = asyncio.Event()
        self._at_once = asyncio.Event()
        self._pace = LifePace(state.spec.startup_deadline, state.spec.grace_seconds)
        if state.gone_by is not None:
            self._deleted.set()

    def delete(self, *, at_once: bool = False) -> None:
        """It is to end; ``at_once``: without the rest of its grace."""
        if self.state.gone_by is None:
            self._pace.deleted()
        self.set(self.state.deleted(self._now()))
        self._deleted.set()
        if at_once:
            self._at_once.set()

    def set(self, state: PodState) -> None:
        """Another state, which is told where it differs."""
        if state != self.state:
            self.state = state
            self._around.commit(state)

    def _now(self) -> float:
        return self._host.settings.now()

    async def run(self) -> None:
        """Until it is deleted and nothing of it is left; cancelling leaves its process alone."""
        while self.state.process is not None or not self._deleted.is_set():
            pause = await self._once()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if pause == math.inf else pause):
                    await self._deleted.wait()

    async def _once(self) -> float:
        """One process from its start to its end; seconds until the next may begin."""
        if self.state.process is None:
            pause = await self._begin()
            if pause is not None:
                return pause
        process = self.state.process
        return await self._attend(process) if process else 0.0

    async def _begin(self) -> float | None:
        """Starts a process; where that is not possible, seconds until it is tried again."""
        if self.template is None:
            self.set(self.state.given_up())
        if self.template is None or self.state.failed:
            return math.inf
        if not self._has_address():
            return PORT_SECONDS
        return await self._start(self.template)

    def _has_address(self) -> bool:
        """Its own, or another where somebody has taken that one since."""
        state, settings = self.state, self._host.settings
        ports = settings.port, settings.isolation_port
        if state.placement is None:
            return False
        if state.placement.host and taken_port(state.placement.host, ports) is None:
            return True
        host = self._around.address()
        if host is None:
            taken = taken_port(state.placement.host or "127.84.0.1", ports)
            self.set(state.waits(PORT_IN_USE, port_in_use(taken or settings.port)))
            return False
        self.set(replace(state, placement=replace(state.placement, host=host)))
        return True

    async def _start(self, template: WorkerTemplate) -> float | None:
        try:
            await self._take_held()
            await self._around.written()  # a successor must know of whatever was started
            if self._deleted.is_set():
                return 0.0
            await self._spawn(template)
        except (OSError, ValueError) as error:
            self.set(self.state.ended(cannot_start(error, self._now())))
            return self.state.backoff.pause
        return None

    async def _take_held(self) -> None:
        """What holds it to its cores and memory; all else may have changed while that was asked."""
        held, own = (await self._host.held(self.state)).placement, self.state.placement
        if held is not None and own is not None:
            placement = replace(own, cores_by=held.cores_by, memory_by=held.memory_by)
            self.set(replace(self.state, placement=placement))

    async def _spawn(self, template: WorkerTemplate) -> None:
        """A start that is cancelled is not lost: whoever ends everything must know of it."""
        cores = self._around.cores(self.state)
        starting = asyncio.ensure_future(self._host.start(template, self.state, cores))
        try:
            await asyncio.shield(starting)
        finally:
            with suppress(OSError, ValueError):
                process = await starting
                self._pace.begun(process)
                self.set(self.state.begun(process))

    async def _attend(self, process: Process) -> float:
        """A process that runs, until it and its group have ended; seconds until the next may begin."""
        code: int | None = None
        try:
            watched = Watched(process)
        except ProcessLookupError:
            left = await self._host.end_group(self.state)
        else:
            try:
                code, left = await self._to_its_end(watched)
            finally:
                watched.close()
        if left:
            return self._leave(process, left)
        return self._record_end(process, code)

    def _leave(self, process: Process, left: str) -> float:
        """What does not end is told, and nothing is started beside it."""
        _logger.error("%s: %s", self.state.name, left)
        end = replace(end_of(process, None, self._now(), killed=False), message=f"NotEnded: {left}")
        self.set(self.state.ended(end).given_up())
        return math.inf

    def _record_end(self, process: Process, code: int | None) -> float:
        killed = self._host.cgroups.oom_kills(self.state.uid) > process.oom_kills
        end = end_of(process, code, self._now(), killed=killed)
        said = self._host.files.last_words(self.state, failed=code != 0)
        self.set(self.state.ended(replace(end, message=said)))
        return self.state.backoff.pause

    async def _to_its_end(self, watched: Watched) -> tuple[int | None, str]:
        """Its exit code, and what does not end. What it leaves is killed before it is waited for, while its
        number is its own."""
        late = await self._serves(watched)
        told: int | None = None
        if not watched.ended.is_set():
            told = await self._stop(watched, late=late)
        left = await self._host.end_group(self.state) or await last_end(watched)
        code = watched.reap() if watched.ended.is_set() else None
        return told if code is None else code, left

    async def _serves(self, watched: Watched) -> bool:
        """Until it has ended or is to end; whether that is because it is late."""
        probing = asyncio.create_task(self._probe(watched.process))
        tasks = [probing, *(asyncio.create_task(each.wait()) for each in (watched.ended, self._deleted))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            late = probing.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if late:
            probing.result()  # whatever is odd about it is no lateness
        return late

    async def _probe(self, process: Process) -> None:
        """Until it has not been ready once within its deadline."""
        loop, age = asyncio.get_running_loop(), self._pace.age(process, self._now())
        readiness, deadline = Readiness(loop.time() - age), loop.time() - age + self._pace.startup_deadline
        readiness.ready = self.state.ready
        while self.state.started or loop.time() < deadline:
            placement = self.state.placement
            host = placement.host if placement else ""
            result = await ask(host, self._host.settings.port, self.state.spec.readiness_path)
            pause = readiness.take(result, loop.time())
            self.set(self.state.answers(readiness.ready, self._now()))
            left = math.inf if self.state.started else max(0.0, deadline - loop.time())
            await asyncio.sleep(min(pause, left))

    async def _stop(self, watched: Watched, *, late: bool) -> int:
        """SIGTERM and its grace; the exit code of one that is no child: which of the two signals it took."""
        gone_by = None if late else self.state.gone_by
        grace = self._pace.grace(gone_by, self._now())
        watched.signal(signal.SIGTERM)
        ended, at_once = (asyncio.create_task(each.wait()) for each in (watched.ended, self._at_once))
        try:
            await asyncio.wait((ended, at_once), timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            at_once.cancel()
        return TERMINATED if watched.ended.is_set() else KILLED
