"""All workers of this machine: who there is, how each is told, and who gets which cores."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

from tidegate.domain.core_list import Cores
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.local.machine.addresses import free_address
from tidegate.local.machine.no_room import CORES
from tidegate.local.machine.node_host import Host
from tidegate.local.machine.node_life import Life, Surroundings
from tidegate.local.machine.placing import Room, find_room, said_of, unshared
from tidegate.local.worker.pod_document import pod_document
from tidegate.local.worker.pod_state import Placement, PodState, made
from tidegate.local.worker.template import WorkerTemplate
from tidegate.local.worker.worker_records import WorkerRecords

_logger = logging.getLogger(__name__)

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own for such names: no vowels, so no words

_TRIES = 16  # to be faster than other supervisors, each of which has then found room


class Roster:
    """``begin`` is called with each life that has been given room, once for each that is to be run."""

    def __init__(self, host: Host, node: str, begin: Callable[[Life], None], records: WorkerRecords) -> None:
        self.lives: dict[str, Life] = {}  # by uid, oldest first
        self.empty = asyncio.Event()
        self.empty.set()
        self.moved = asyncio.Event()  # who has which cores may be another
        self._host = host
        self._node = node
        self._begin = begin
        self._records = records
        self._documents: dict[str, Json] = {}
        self._templates: dict[tuple[ServiceKey, str], WorkerTemplate] = {}
        self._around = Surroundings(host, self._commit, self._cores, self._address, records.written)

    def adopt(self, state: PodState) -> None:
        """One that a predecessor left."""
        if state.placement and not self._host.claims.take_back(state.placement):
            _logger.warning("%s runs on cores or devices that another tidegate has given away", state.name)
        self._add(Life(state, self._around, self._templates.get((state.spec.key, state.spec.hash))))

    def create(self, template: WorkerTemplate) -> str:
        """A new one, and its name."""
        settings = self._host.settings
        name, uid = self._new_name(template.key), str(uuid.uuid4())
        state = made(template, name, uid, self._host.boot, settings.now())
        self._add(Life(self._placed(state), self._around, template))
        return name

    def _add(self, life: Life) -> None:
        self.lives[life.state.uid] = life
        self.empty.clear()
        self._commit(life.state)
        self._begin_where_placed(life)

    def know(self, template: WorkerTemplate) -> None:
        """What those with this hash are started from."""
        identity = (template.key, template.hash)
        if self._templates.get(identity) is template:
            return
        self._templates = {each: known for each, known in self._templates.items() if each[0] != template.key}
        self._templates[identity] = template
        for life in self.lives.values():
            if life.template is None and (life.state.spec.key, life.state.spec.hash) == identity:
                life.template = template

    def delete(self, life: Life, *, at_once: bool = False) -> None:
        """It is to end; one that has nothing is gone at once."""
        life.delete(at_once=at_once)
        if not life.state.holds and not life.state.failed:
            self.remove(life)

    def remove(self, life: Life) -> None:
        """It is gone; what it held is free."""
        if self.lives.pop(life.state.uid, None) is None:
            return
        self._documents.pop(life.state.uid, None)
        if not self.lives:
            self.empty.set()
        self._records.forget(life.state.uid)
        self.moved.set()
        self._tell(life.state.spec.key)
        self.schedule()

    def find(self, namespace: str, name: str) -> Life | None:
        """The one with this name."""
        for life in self.lives.values():
            if (life.state.spec.key.namespace, life.state.name) == (namespace, name):
                return life
        return None

    def of(self, key: ServiceKey) -> Sequence[Json]:
        """The documents of a service's, oldest first."""
        return [self._documents[uid] for uid, life in self.lives.items() if life.state.spec.key == key]

    def schedule(self) -> None:
        """Gives room to those that wait for it, oldest first; a large one does not hold up others."""
        self._host.claims.keep(life.state.placement for life in self.lives.values() if life.state.placement)
        for life in tuple(self.lives.values()):
            if life.state.holds or life.state.failed or life.state.gone_by is not None:
                continue
            life.set(self._placed(life.state))
            self._begin_where_placed(life)

    def _begin_where_placed(self, life: Life) -> None:
        if life.state.holds or life.state.failed:
            self.moved.set()
            self._begin(life)

    def _placed(self, state: PodState) -> PodState:
        room = self._room(state)
        if isinstance(room, str):
            return state.refused(room)
        placement = Placement(
            since=self._host.settings.now(),
            cores=room.cores,
            devices=room.devices,
            host=self._address() or "",
            cores_by=self._host.cores_by(state.spec),
            memory_by=self._host.memory_by(state.spec),
        )
        return state.placed(placement)

    def _room(self, state: PodState) -> Room | str:
        """What is its now, also as far as other supervisors know; else why there is none."""
        claims, machine = self._host.claims, self._host.machine
        for _ in range(_TRIES):
            rest, sharers = claims.rest(machine), claims.others_share()
            room = find_room(state.spec, rest, self._others(state), sharers=sharers, whole=machine)
            if isinstance(room, str) or claims.take(room):
                return room
        return said_of(state.spec, [CORES], machine)

    def _others(self, state: PodState) -> list[PodState]:
        return [life.state for life in self.lives.values() if life.state.uid != state.uid]

    def _address(self) -> str | None:
        settings = self._host.settings
        taken = {life.state.placement.host for life in self.lives.values() if life.state.placement}
        with suppress(OSError):  # no socket can be had now: it looks for one again before it starts
            return free_address(taken, (settings.port, settings.isolation_port), settings.chance)
        return None

    def _cores(self, state: PodState) -> Cores:
        """Those that a worker may run on now."""
        if state.placement is not None and state.placement.cores:
            return frozenset(state.placement.cores)
        held = [life.state.placement for life in self.lives.values() if life.state.placement]
        return unshared(self._host.claims.rest(self._host.machine), held) or self._host.machine.cores

    def _commit(self, state: PodState) -> None:
        """A life's state has changed: it is told, and written down."""
        if state.uid not in self.lives:
            return
        self._records.remember(state)
        self._documents[state.uid] = pod_document(state, self._node)
        self._tell(state.spec.key)
        if state.failed:  # what it held is free
            self.schedule()

    def _tell(self, key: ServiceKey) -> None:
        """Whatever is odd about who is told, workers do not suffer from it."""
        try:
            self._host.settings.changed(key)
        except Exception:
            _logger.exception("%s: a change of its workers was not taken note of", key)

    async def share_cores(self) -> None:
        """Moves those without cores of their own to what nobody has to itself now."""
        self.moved.clear()
        for life in tuple(self.lives.values()):
            process, cores = life.state.process, self._cores(life.state)
            if life.state.spec.exclusive or process is None:
                continue
            with suppress(OSError):  # it has ended since
                if os.sched_getaffinity(process.pid) != cores:
                    await self._host.share(life.state, cores)

    def _new_name(self, key: ServiceKey) -> str:
        while True:
            name = f"{key.name}-{''.join(self._host.settings.chance.choices(_LETTERS, k=5))}"
            if self.find(key.namespace, name) is None:
                return name
