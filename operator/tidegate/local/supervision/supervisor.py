"""Runs InferenceServices on this machine: the operator's loop, over processes in place of a cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from tidegate.control.autoscale import Autoscaler
from tidegate.control.boards import Boards
from tidegate.control.counters import CounterWatch
from tidegate.control.deletion_order import DeletionOrder
from tidegate.control.evidence import EvidenceSettings, EvidenceWatch
from tidegate.control.hearing import Hearing
from tidegate.control.passes import make_passes
from tidegate.control.queue import Backoff, KeyedQueue
from tidegate.control.start_board import StartTarget
from tidegate.control.start_watch import StartSettings, StartWatch
from tidegate.domain.errors import WakeError
from tidegate.domain.loose import Json, mapping
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts
from tidegate.local.files import Sink
from tidegate.local.manifests.manifest import Secret
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_reader import ManifestReader
from tidegate.local.manifests.manifest_set import Machine
from tidegate.local.supervision.entries import Entries, Entry
from tidegate.local.supervision.listening import listen
from tidegate.local.supervision.observing import Observer
from tidegate.local.supervision.pods import Pods
from tidegate.local.supervision.preparing import Preparing
from tidegate.local.supervision.reconcile import Reconciler, ReconcileSettings
from tidegate.local.supervision.records import Records
from tidegate.local.supervision.replicas import Replicas
from tidegate.local.supervision.shown import Shown
from tidegate.local.supervision.slo import SloReader
from tidegate.local.supervision.supervisor_settings import SupervisorSettings
from tidegate.local.supervision.views import Views

__all__ = ["Supervisor", "SupervisorSettings"]

_logger = logging.getLogger("tidegate.local")

_PASS_BUDGET: Final = 60.0  # seconds; each question to a worker has a budget of its own
_AT_ONCE: Final = 4  # passes


class Supervisor:
    """The gateway's substrate. ``pods`` has adopted by now what a predecessor left."""

    def __init__(self, settings: SupervisorSettings, pods: Pods) -> None:
        self._settings = settings
        self._pods = pods
        sizes = (settings.size,) if settings.size else ()
        machine = Machine(settings.default_max_depth, sizes)
        self._files = ManifestFiles(
            settings.manifests, machine, settings.defaults, removal_seconds=settings.removal_seconds
        )
        self._reader = ManifestReader(self._files, settings.aside)
        self._manifests = self._files.all
        self._preparing = Preparing(settings.build, self._secrets_in, settings.aside)
        records = Records(settings.state / "services", settings.put)
        self._entries = Entries(records, settings.now, settings.new_uid)
        self._queue: KeyedQueue[ServiceKey] = KeyedQueue()
        self._backoff: Backoff[ServiceKey] = Backoff(settings.jitter)
        self._boards = Boards()
        self._views = Views(pods, self._entries.get, settings.default_max_depth)
        self._replicas = Replicas(pods, self._views.tell)
        self._reconciler = self._build_reconciler()
        self._read, self._ended = False, False

    def _build_reconciler(self) -> Reconciler:
        settings = self._settings
        counters = CounterWatch(settings.http)
        observer = Observer(
            self._pods, self._replicas, self._boards, settings.default_max_depth, settings.url_base
        )
        own = ReconcileSettings(
            settings.now, settings.busy, self._preparing.prepare, self._told, self._queue.add
        )
        autoscaler = Autoscaler(counters, DeletionOrder(counters, self._mark))
        return Reconciler(self._entries, observer, autoscaler, own)

    # -- before it runs

    async def check(self) -> None:
        """Reads all manifests, so that a start can fail early: OSError, or ValueError that names file,
        document and field. They may be on a server that does not answer: it is told, and given up."""
        await self._reader.first()
        self._read = True
        self._take()

    # -- for the gateway

    async def watch(self, sink: Sink) -> None:
        """See Substrate."""
        with self._views.followed(sink, [entry.key for entry in self._entries.all()]):
            await asyncio.Event().wait()

    async def wake(self, key: ServiceKey) -> bool:
        """See Substrate; the worker begins before this returns."""
        if self._ended:
            raise WakeError("this tidegate is ending: it starts no worker any more")
        return await self._reconciler.wake(key)

    # -- for the node and for people

    def changed(self, key: ServiceKey) -> None:
        """A pod of this service has changed; the gateway knows at once."""
        self._views.tell(key)
        if not self._ended:
            self._queue.add(key)

    def shown(self) -> list[Shown]:
        """Every service with all that belongs to it, by key; nobody is asked."""
        return [self._shown(entry) for entry in self._entries.all()]

    def _shown(self, entry: Entry) -> Shown:
        pods = tuple(self._pods.of(entry.key))
        names = [str(pod["metadata"]["name"]) for pod in pods]
        logs = {name: self._pods.log(entry.key.namespace, name) for name in names}
        return Shown(
            service=entry.document,
            deployment=self._replicas.deployment(entry),
            pods=pods,
            load=self._boards.board.load(entry.key),
            logs={name: str(path) for name, path in logs.items() if path},
            warnings=entry.manifest.warnings,
            manifest=entry.manifest.source,
        )

    # -- while it runs

    async def run(self) -> None:
        """Looks after the services until cancelled. Workers go on then, and nobody begins one any more."""
        if not self._read:
            await self.check()
        try:
            async with asyncio.TaskGroup() as group:
                for part in self._parts():
                    group.create_task(part)
                for key in {*self._pods.keys(), *(entry.key for entry in self._entries.all())}:
                    self._queue.add(key)
        finally:
            self._ended = True
            self._queue.close()
            self._preparing.close()

    def _parts(self) -> list[Coroutine[Any, Any, None]]:
        settings, boards = self._settings, self._boards
        evidence = EvidenceSettings(self._queue.add, _nobody_asks, jitter=settings.jitter, now=settings.now)
        parts = [
            make_passes(self._queue, self._one, _AT_ONCE),
            listen(Hearing(boards.board, self._heard, settings.now), settings.demand),
            self._follow_files(),
            EvidenceWatch(boards.evidence, settings.http, evidence).run(),
            StartWatch(boards.starts, self._pulled, settings.http, StartSettings(self._queue.add)).run(),
        ]
        if settings.counts is not None:
            parts.append(self._slo_reader(settings.counts).run())
        return parts

    async def _one(self, key: ServiceKey) -> float | None:
        try:
            async with asyncio.timeout(_PASS_BUDGET):
                again = await self._reconciler.reconcile(key)
        except TimeoutError:
            _logger.warning("%s: a pass took longer than %g s", key, _PASS_BUDGET)
            return self._backoff.failed(key)
        except Exception:
            _logger.exception("%s: the pass failed for a reason that is not foreseen", key)
            return self._backoff.failed(key)
        self._backoff.succeeded(key)
        return again

    def _heard(self, key: ServiceKey | None) -> None:
        """New numbers of a service, or possibly of all that have workers."""
        awake = [entry.key for entry in self._entries.all() if self._replicas.of(entry)]
        for each in awake if key is None else [key]:
            self._queue.add(each)

    async def _follow_files(self) -> None:
        complaint = ""
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            now = asyncio.get_running_loop().time()
            try:
                if await self._reader.look(now):
                    self._take()
            except Exception as error:
                if complaint != repr(error):
                    _logger.exception("the manifests could not be looked at; they hold as they were")
                complaint = repr(error)

    # -- what manifests mean

    def _take(self) -> None:
        """The manifests are others, or were read for the first time."""
        self._manifests = self._files.all
        taken = self._entries.take(self._manifests)
        for entry in taken.replaced:
            self._reconciler.forget(entry)
        for entry in taken.new:
            self._settings.told({}, entry.document)
        for entry in self._entries.all():
            entry.stale = True
            self.changed(entry.key)

    def _told(self, before: Json, after: Json) -> None:
        """A status has changed; a pause after failures is the gateway's business too."""
        self._settings.told(before, after)
        metadata = mapping((after or before).get("metadata"))
        self._views.tell(ServiceKey(metadata["namespace"], metadata["name"]))

    def _secrets_in(self, namespace: str) -> Mapping[str, Secret]:
        return self._manifests.secrets_in(namespace)

    # -- what others than this loop want to know

    def _slo_reader(self, counts: Callable[[ServiceKey], object]) -> SloReader:
        entries, settings = self._entries, self._settings
        return SloReader(
            board=self._boards.slos,
            services=lambda: [each.key for each in entries.all() if each.service.spec.slo],
            counts=counts,
            changed=self._queue.add,
            now=settings.now,
        )

    async def _mark(self, namespace: str, worker: WorkerFacts, cost: int) -> None:
        for entry in self._entries.all():
            own = entry.key.namespace == namespace and self._replicas.workers(entry)
            if own and any(each.uid == worker.uid for each in own):
                entry.costs[worker.uid] = cost

    async def _pulled(self, target: StartTarget) -> float | None:
        """A process needs no image; how long a runtime pulls one, it tells nobody."""
        entry = self._entries.get(target.key)
        return None if entry and entry.template and entry.template.runtime else 0.0


async def _nobody_asks(_node: str, _exclusive: bool, _since: float) -> None:
    """There is no node whose label would have to follow."""
