"""What a worker's life needs of the machine: a process to be started, and everything of it to be ended."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tidegate.domain.core_list import Cores, format_cores
from tidegate.local.containers.command_line import Start
from tidegate.local.containers.container_workers import ContainerWorkers
from tidegate.local.machine.claims import Claims
from tidegate.local.machine.node_settings import NodeSettings
from tidegate.local.machine.placing import Machine
from tidegate.local.processes.cgroups import CPUSET, MEMORY, Cgroups
from tidegate.local.processes.group_ends import end
from tidegate.local.processes.groups import Group, group_of
from tidegate.local.processes.launching import Launch, launch
from tidegate.local.processes.table import MARK, Seen, look_at
from tidegate.local.worker.pod_document import BY_AFFINITY, BY_CGROUP
from tidegate.local.worker.pod_state import PodState, Process, WorkerSpec
from tidegate.local.worker.template import HOST_WORD, PORT_WORD, WorkerTemplate
from tidegate.local.worker.worker_files import WorkerFiles


def _look_at_new(pid: int) -> Seen | None:
    """Nobody has waited for it, so it is there even where it has ended. One that cannot be looked at would be
    nobody's: it is ended, and OSError says why."""
    try:
        return look_at(pid)
    except OSError:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


@dataclass(frozen=True, slots=True)
class Host:
    """``spawning``: one thread for starts alone, since it takes on the cores of what it starts."""

    settings: NodeSettings
    files: WorkerFiles
    cgroups: Cgroups
    machine: Machine
    boot: str
    spawning: ThreadPoolExecutor
    containers: ContainerWorkers
    claims: Claims

    def cores_by(self, spec: WorkerSpec) -> str:
        """What holds a worker to its cores; of a container it is told later."""
        if not spec.exclusive or spec.runtime:
            return ""
        return BY_CGROUP if CPUSET in self.cgroups.parents else BY_AFFINITY

    def memory_by(self, spec: WorkerSpec) -> str:
        """What holds it to its memory; empty: nothing."""
        return BY_CGROUP if MEMORY in self.cgroups.parents and not spec.runtime else ""

    async def held(self, state: PodState) -> PodState:
        """With what holds it to its cores and memory, which of a container only its runtime knows.

        ValueError says why that cannot be used.
        """
        return await self.containers.held(state) if state.spec.runtime else state

    async def start(self, template: WorkerTemplate, state: PodState, cores: Cores) -> Process:
        """The process of a worker. OSError or ValueError where it cannot be started."""
        loop = asyncio.get_running_loop()
        client = await self.containers.start_of(template, state, cores) if template.runtime else None
        return await loop.run_in_executor(self.spawning, self._start, template, state, cores, client)

    def _start(
        self, template: WorkerTemplate, state: PodState, cores: Cores, client: Start | None
    ) -> Process:
        self.files.begin(state, self.settings.environment.get("XDG_RUNTIME_DIR", ""))
        order = self._client(client, state, cores) if client else self._order(template, state, cores)
        killed = self.cgroups.oom_kills(state.uid)
        groups = tuple(map(str, self.cgroups.folders(state.uid)))
        since = self.settings.now()
        pid = launch(replace(order, open_files=self.settings.worker_files))
        seen = _look_at_new(pid)
        return Process(pid, seen.ticks if seen else 0, self.boot, since, killed, groups)

    def _order(self, template: WorkerTemplate, state: PodState, cores: Cores) -> Launch:
        self.cgroups.make(state.uid, format_cores(cores), state.spec.memory)
        entries = self.cgroups.entries(state.uid)
        command = tuple(self._filled(word, state) for word in template.command)
        environment = self._environment(template, state, own_group=self.cgroups.complete)
        return Launch(command, environment, self.files.log(state), cores, entries)

    def _client(self, client: Start, state: PodState, cores: Cores) -> Launch:
        """A container has groups by its runtime; its client passes signals on and ends with its exit code."""
        own = {MARK: self.files.mark(state.uid)}
        environment = {**self.settings.environment, **client.environment, **own}
        return Launch(client.argv, environment, self.files.log(state), cores)

    def _environment(self, template: WorkerTemplate, state: PodState, *, own_group: bool) -> dict[str, str]:
        """The supervisor's own, the template's, and what only the start knows, which nobody else can say."""
        given = {name: self._filled(value, state) for name, value in template.environment.items()}
        placement = state.placement
        own = {
            MARK: self.files.mark(state.uid),
            "SPT_NOENV": "1",  # setproctitle, which vLLM calls, would write its title over the mark
            "CUDA_VISIBLE_DEVICES": ",".join(placement.devices) if placement else "",
            "TIDEGATE_TERMINATION_MESSAGE": str(self.files.message(state.uid)),
            "TIDEGATE_ISOLATION_HOST": placement.host if placement else "",
            "TIDEGATE_ISOLATION_PORT": str(self.settings.isolation_port),
        }
        return {
            **self.settings.environment,
            "TMPDIR": str(self.files.temporary(state.uid)),
            **given,
            **own,
            **({"TIDEGATE_OWN_CGROUP": "1"} if own_group else {}),
        }

    def _filled(self, word: str, state: PodState) -> str:
        host = state.placement.host if state.placement else ""
        return word.replace(HOST_WORD, host).replace(PORT_WORD, str(self.settings.port))

    def group(self, state: PodState) -> Group:
        """All that belongs to a worker."""
        return group_of(self.files, self.cgroups, state.uid, self.boot, state)

    async def end_group(self, state: PodState) -> str:
        """Kills whatever is left of a worker; empty as soon as there is nothing, else what does not end."""
        left = await end(self.group(state))
        if state.spec.runtime:
            await self.containers.end(state)
        return left

    async def share(self, state: PodState, cores: Cores) -> None:
        """Moves a worker that has no cores of its own to those that are nobody's."""
        if state.process is None:
            return
        if state.spec.runtime:  # the cores of its client tell the next look what the container has
            if not await self.containers.pin(state, cores):
                return
        elif self.cgroups.pin(state.uid, format_cores(cores)):
            return
        await asyncio.to_thread(self.group(state).pin, cores)
