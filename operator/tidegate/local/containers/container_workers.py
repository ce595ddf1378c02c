"""Workers that are containers: how each is started, and that nothing stays when its client has ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Collection
from dataclasses import replace

from tidegate.domain.core_list import Cores, format_cores
from tidegate.local.containers.command_line import Place, Start, run
from tidegate.local.containers.container_runtime import Runtime, end, find, find_runtime, make_folders, pin
from tidegate.local.containers.used_runtimes import UsedRuntimes
from tidegate.local.worker.pod_document import BY_AFFINITY, BY_CGROUP
from tidegate.local.worker.pod_state import PodState
from tidegate.local.worker.template import WorkerTemplate
from tidegate.local.worker.worker_files import WorkerFiles

_logger = logging.getLogger(__name__)

TRIES, PAUSE_SECONDS = 3, 2.0  # for a runtime that does not answer when a container is to be removed


class ContainerWorkers:
    """Each runtime is asked once what it can do, and again where it could not say."""

    def __init__(self, files: WorkerFiles) -> None:
        self._files = files
        self._runtimes: dict[str, Runtime] = {}
        self._used = UsedRuntimes(files.state / "runtimes")
        self._complaint = ""

    async def _runtime(self, name: str) -> Runtime:
        if name not in self._runtimes:
            self._runtimes[name] = await find_runtime(name)
        return self._runtimes[name]

    async def held(self, state: PodState) -> PodState:
        """With what its runtime holds it to. ValueError says why the runtime cannot be used."""
        placement, runtime = state.placement, await self._runtime(state.spec.runtime)
        if placement is None:
            return state
        cores_by = BY_CGROUP if runtime.cpuset else BY_AFFINITY
        memory_by = BY_CGROUP if runtime.memory else ""
        own = cores_by if state.spec.exclusive else ""
        return replace(state, placement=replace(placement, cores_by=own, memory_by=memory_by))

    async def start_of(self, template: WorkerTemplate, state: PodState, cores: Cores) -> Start:
        """The client's command. ValueError names a field that the runtime cannot obey, OSError a folder."""
        runtime, placement = await self._runtime(template.runtime), state.placement
        await asyncio.to_thread(self._used.add, template.runtime)
        await asyncio.to_thread(make_folders, template)
        place = Place(
            state=self._files.identity,
            uid=state.uid,
            name=state.name,
            host=placement.host if placement else "",
            cores=tuple(sorted(cores)),
            devices=placement.devices if placement else (),
            message=self._files.message(state.uid),
            user=(os.getuid(), os.getgid()),
        )
        return run(runtime, template, place)

    async def pin(self, state: PodState, cores: Cores) -> bool:
        """Moves a container to these cores; False where that has to be tried again."""
        try:
            runtime = await self._runtime(state.spec.runtime)
            if not runtime.cpuset:
                return True  # what its client had when it started is all that there is
            return await pin(runtime, self._files.identity, state.uid, format_cores(cores)) > 0
        except (OSError, ValueError) as error:
            self._complain(f"the container of {state.name} stays on cores that others have now: {error}")
            return False

    def _complain(self, said: str) -> None:
        """Once as long as it is the same."""
        if said != self._complaint:
            self._complaint = said
            _logger.warning("%s", said)

    async def end(self, state: PodState) -> None:
        """What is left when its client has ended; one that cannot be removed is the next supervisor's."""
        for _ in range(TRIES):
            try:
                runtime = await self._runtime(state.spec.runtime)
                await end(runtime, self._files.identity, state.uid)
            except (OSError, ValueError) as error:
                _logger.warning("the container of %s cannot be removed: %s", state.name, error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def end_strays(self, names: Collection[str], adopted: Collection[str]) -> None:
        """Removes the containers of all but these workers, with each of these runtimes and those that a
        predecessor has used. One that says that there is none any more is not asked again."""
        for name in sorted({*names, *await asyncio.to_thread(self._used.names)}):
            try:
                runtime = await self._runtime(name)
                for container in await find(runtime, self._files.identity):
                    if container.uid not in adopted:
                        await end(runtime, self._files.identity, container.uid)
                if name not in names and not await find(runtime, self._files.identity):
                    await asyncio.to_thread(self._used.remove, name)
            except (OSError, ValueError) as error:
                _logger.warning("containers of %s that a predecessor left cannot be removed: %s", name, error)
