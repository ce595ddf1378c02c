"""The machine as a kubelet: it keeps processes for workers, and tells of them as pods."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.containers.container_workers import ContainerWorkers
from tidegate.local.insisting import anything, insist, is_shortage
from tidegate.local.machine.adopting import take_over
from tidegate.local.machine.claims import Claims, open_claims
from tidegate.local.machine.inventory import find_machine
from tidegate.local.machine.node_host import Host
from tidegate.local.machine.node_life import Life
from tidegate.local.machine.node_lock import hold_lock
from tidegate.local.machine.node_settings import NodeSettings
from tidegate.local.machine.roster import Roster
from tidegate.local.processes.cgroups import Cgroups, find_cgroups, folders_of
from tidegate.local.processes.group_folders import GroupFolders, remove_groups
from tidegate.local.processes.groups import reap_orphans
from tidegate.local.processes.launching import keep_files
from tidegate.local.processes.table import boot_id
from tidegate.local.worker.template import WorkerTemplate
from tidegate.local.worker.worker_files import WorkerFiles
from tidegate.local.worker.worker_records import WorkerRecords

_logger = logging.getLogger(__name__)

HOUSE_SECONDS = 5.0  # between two looks at what grows and at who shares cores


class Node:
    """Pods over processes. ``open`` it, ``run`` it, and ``close`` it; all on one event loop."""

    def __init__(self, settings: NodeSettings) -> None:
        self._settings = settings
        self._files = WorkerFiles(settings.state)
        self._tasks: asyncio.TaskGroup | None = None
        self._cgroups = Cgroups()
        self._group_folders: GroupFolders
        self._claims = Claims()
        self._host: Host
        self._roster: Roster
        self._lock: int | None = None
        self._records = WorkerRecords(self._files)
        self._spawning = ThreadPoolExecutor(1, "tidegate-spawn")

    async def open(self) -> None:
        """Takes over what a predecessor left: workers that run are adopted, all else is ended.

        OSError where the state folder cannot be used, RuntimeError where another process uses it.
        """
        keep_files()
        self._files.make()
        self._group_folders = GroupFolders(self._files.state / "groups", self._group_name)
        self._lock = await hold_lock(self._files.state / "node.lock")
        machine = self._settings.machine or await find_machine(self._settings.environment)
        cgroups = await self._made_cgroups()
        self._claims = open_claims(self._settings.environment)
        containers = ContainerWorkers(self._files)
        self._host = Host(
            self._settings,
            self._files,
            cgroups,
            machine,
            boot_id(),
            self._spawning,
            containers,
            self._claims,
        )
        self._roster = Roster(self._host, socket.gethostname(), self._begin, self._records)
        runtimes = await asyncio.to_thread(self._remembered)
        found = await take_over(self._files, cgroups, self._host.boot, self._settings.now())
        await containers.end_strays(runtimes, {state.uid for state in found if state.process})
        for state in found:
            self._roster.adopt(state)
        await asyncio.to_thread(self._group_folders.remove, set(cgroups.parents.values()))

    async def _made_cgroups(self) -> Cgroups:
        """Where it is cancelled, nothing is made after it: ``close`` finds all that was."""
        finding = asyncio.ensure_future(asyncio.to_thread(self._find_cgroups))
        try:
            self._cgroups = await asyncio.shield(finding)
        finally:
            await asyncio.wait((finding,))
        return self._cgroups

    def _remembered(self) -> set[str]:
        """The runtimes with containers of a predecessor; its groups, wherever they are, are known then."""
        for _, state in self._files.records():
            if state and state.process:
                self._cgroups.know(state.uid, state.process.groups)
        return {state.spec.runtime for _, state in self._files.records() if state and state.spec.runtime}

    @property
    def _group_name(self) -> str:
        """By the folder's identity, so that two supervisors do not take each other's for strays."""
        return f"tidegate-{self._files.identity[:8]}"

    def _find_cgroups(self) -> Cgroups:
        if not self._settings.cgroups:
            return Cgroups()
        self._group_folders.add(folders_of(self._group_name))
        return find_cgroups(self._group_name)

    def close(self) -> None:
        """Lets another one use the state folder; workers that run go on."""
        if self._lock is not None:
            self._spawning.shutdown()
            self._records.close()
            self._cgroups.close()
            self._group_folders.remove()
            self._claims.close()
            os.close(self._lock)
            self._lock = None

    async def run(self) -> None:
        """Looks after the workers until cancelled, which leaves their processes alone."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for life in tuple(self._roster.lives.values()):
                    if life.state.holds or life.state.failed:
                        self._begin(life)
                self._roster.schedule()
                self._tasks.create_task(self._keep_house())
                await self._keep_cores()
        finally:
            self._tasks = None

    def _begin(self, life: Life) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._live(life))

    async def _live(self, life: Life) -> None:
        """Whatever is odd about one worker, the others go on; what this process is short of is no reason to
        end a worker that serves."""
        name = life.state.name
        try:
            await insist(name, life.run, is_shortage)
        except Exception:
            _logger.exception("%s failed for a reason that is not foreseen", name)
            await insist(name, partial(self._give_up, life), anything)
        await insist(name, partial(self._remove, life), anything)

    async def _give_up(self, life: Life) -> None:
        if not life.state.failed:
            await self._host.end_group(life.state)
            life.set(life.state.given_up())
        await life.run()

    async def _remove(self, life: Life) -> None:
        await remove_groups(self._host.cgroups, life.state.uid)
        self._roster.remove(life)

    async def _keep_cores(self) -> None:
        while True:
            await insist("the cores that workers share", self._roster.share_cores, anything)
            with suppress(TimeoutError):
                async with asyncio.timeout(HOUSE_SECONDS):
                    await self._roster.moved.wait()
            self._roster.schedule()  # another supervisor may have given something back

    async def _keep_house(self) -> None:
        orphans: set[int] = set()
        while True:
            logs = {self._files.log(life.state) for life in self._roster.lives.values()}
            try:
                await asyncio.to_thread(self._files.trim_logs, logs, self._settings.log_bytes)
                orphans = await asyncio.to_thread(reap_orphans, orphans)
            except (OSError, RuntimeError) as error:  # RuntimeError: no thread can be started
                _logger.warning("the logs of workers cannot be kept short: %s", error)
            await asyncio.sleep(HOUSE_SECONDS)

    async def end_all(self, *, at_once: bool = False) -> None:
        """Ends every worker within its grace, or at once, and waits until all are gone.

        It is the last word: what would hold later workers to cores and memory is gone as well.
        """
        for life in tuple(self._roster.lives.values()):
            self._roster.delete(life, at_once=at_once)
        if self._tasks is None:
            await self._end_without_run()
        await self._roster.empty.wait()
        await self._records.written()
        self._cgroups.close()

    async def _end_without_run(self) -> None:
        running, emptied = asyncio.create_task(self.run()), asyncio.create_task(self._roster.empty.wait())
        try:
            await asyncio.wait((running, emptied), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()  # whatever it failed for, nobody else would end the rest
        finally:
            running.cancel()
            emptied.cancel()
            await asyncio.gather(running, emptied, return_exceptions=True)

    async def written(self) -> None:
        """Returns when a successor would know of all that is known by now."""
        await self._records.written()

    def know(self, template: WorkerTemplate) -> None:
        """What pods that a predecessor left, of this service and hash, are started from should they end."""
        self._roster.know(template)

    def create(self, template: WorkerTemplate) -> str:
        """A new pod of this template, and its name; its process starts at once where there is room."""
        self._roster.know(template)
        return self._roster.create(template)

    def delete(self, namespace: str, name: str) -> None:
        """Ends a pod: SIGTERM, its grace, SIGKILL for what is left of its group; then it is gone."""
        if life := self._roster.find(namespace, name):
            self._roster.delete(life)

    def of(self, key: ServiceKey) -> Sequence[Json]:
        """The pods of a service, oldest first."""
        return self._roster.of(key)

    def keys(self) -> Sequence[ServiceKey]:
        """The services that have pods."""
        return list(dict.fromkeys(life.state.spec.key for life in self._roster.lives.values()))

    def log(self, namespace: str, name: str) -> Path | None:
        """Where a pod's output goes."""
        life = self._roster.find(namespace, name)
        return self._files.log(life.state) if life else None
