"""One pass over one service of this machine: observe → decide → begin and end workers → status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from tidegate.control.autoscale import Autoscaler, Scene
from tidegate.control.queue_pace import QueuePace
from tidegate.control.status import status_patch
from tidegate.domain.conditions import INVALID_SPEC
from tidegate.domain.errors import WakeError
from tidegate.domain.loose import Json
from tidegate.domain.rejections import back_off
from tidegate.domain.scaling import Load, ScaleDecision
from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.entries import Entries, Entry
from tidegate.local.supervision.observing import Observer

FAULT_RECHECK: Final = 5.0  # seconds; what is missing, such as vLLM, may have been installed meanwhile
_UNHEARD: Final = 1.0  # seconds


@dataclass(frozen=True)
class ReconcileSettings:
    """``now``: Unix time. ``busy``: whether requests of a service wait or run at this moment. ``prepare``:
    has a service's template made anew, and returns when it is of what the manifests say. ``told``: a
    service's object before and after a change of its status. ``changed``: have a service looked at."""

    now: Callable[[], float]
    busy: Callable[[ServiceKey], bool]
    prepare: Callable[[Entry], Awaitable[None]]
    told: Callable[[Json, Json], None]
    changed: Callable[[ServiceKey], None]


class Reconciler:
    """Makes what runs equal to what should, for one service at a time."""

    def __init__(
        self,
        entries: Entries,
        observer: Observer,
        autoscaler: Autoscaler,
        settings: ReconcileSettings,
    ) -> None:
        self._entries = entries
        self._observer = observer
        self._replicas = observer.replicas
        self._boards = observer.boards
        self._autoscaler = autoscaler
        self._settings = settings
        self._pace = QueuePace()

    async def reconcile(self, key: ServiceKey) -> float | None:
        """One pass; seconds until the next one is due, None: at the next event."""
        entry = self._entries.get(key)
        if entry is None:
            self._replicas.end_all(key)  # of a service that has no manifest any more
            return None
        if entry.deleted:
            self._wind_down(entry)
            return None
        await self._prepared(entry)
        manifest = entry.manifest
        decided = await self._autoscaler.decide(entry.service, lambda: self._look(entry, manifest))
        if decided is None:
            return 0.0  # the manifest has changed meanwhile
        return self._scale_and_tell(entry, *decided)

    async def _prepared(self, entry: Entry) -> None:
        """Nothing else has had its turn where its template is there and as it should be."""
        if entry.stale or entry.template is None:
            await self._settings.prepare(entry)

    async def wake(self, key: ServiceKey) -> bool:
        """From no worker to one, which begins at once; whether that changed anything. WakeError."""
        entry = self._present(key)
        await self._prepared(entry)
        if self._present(key) is not entry:
            raise WakeError(f"{key} is another service now", FAULT_RECHECK)
        self._require_waking(entry)
        changed = self._replicas.of(entry) == 0
        if changed:
            entry.replicas = 1
        self._replicas.keep(entry)
        self._settings.changed(key)
        return changed

    def _present(self, key: ServiceKey) -> Entry:
        """WakeError where there is none."""
        entry = self._entries.get(key)
        if entry is None or entry.deleted:
            raise WakeError(f"{key} is in no manifest any more")
        return entry

    def _require_waking(self, entry: Entry) -> None:
        """WakeError where no worker may be begun for a request."""
        key, spec = entry.key, entry.service.spec
        if entry.template is None:
            raise WakeError(f"{INVALID_SPEC}: {entry.fault}", FAULT_RECHECK)
        if spec.suspend:
            raise WakeError(f"{key} is suspended: spec.suspend is true")
        if spec.scaling.mode == "External":
            raise WakeError(f"{key} has as many workers as spec.replicas says (scaling.mode is External)")
        pause = self._scene(entry).backs_off
        if pause:
            raise WakeError(f"{key} cannot be started yet: {pause.cause.message}", self._rest(pause.until))

    def _rest(self, until: float) -> float:
        return max(0.0, until - self._settings.now())

    def _scale_and_tell(self, entry: Entry, scene: Scene, decision: ScaleDecision) -> float | None:
        """There is no await between the last look and this: what was seen is so."""
        before = self._replicas.of(entry)
        self._boards.look_at_cores(entry.service, self._observer.workers(entry))
        if entry.fault and decision.replicas > before:
            decision = replace(decision, replicas=before)
        entry.replicas = decision.replicas
        self._replicas.keep(entry)
        seen = replace(
            scene, deployment=self._replicas.deployment(entry), workers=self._replicas.workers(entry)
        )
        held = self._tell(entry, self._observer.status(entry, seen, decision))
        fault = FAULT_RECHECK if entry.fault else None
        return min((each for each in (decision.recheck_after, held, fault) if each is not None), default=None)

    def _look(self, entry: Entry, manifest: object) -> Scene | None:
        """None where the pass is about something that is not so any more."""
        gone = entry.deleted or self._entries.get(entry.key) is not entry
        return None if gone or entry.stale or entry.manifest is not manifest else self._scene(entry)

    def _scene(self, entry: Entry) -> Scene:
        workers, now = self._replicas.workers(entry), self._settings.now()
        return Scene(
            deployment=self._replicas.deployment(entry),
            workers=workers,
            load=self._load(entry.key, now),
            refused=None,
            now=now,
            back_off=back_off(workers, entry.template.hash if entry.template else ""),
        )

    def _load(self, key: ServiceKey, now: float) -> Load:
        """What gateways have told; of a service that they have not told of yet it is not known that it idles.

        Lines come a tenth of a second late, so the gateway itself is asked as well: nobody who waits, or is
        being served, loses the last worker.
        """
        load = self._boards.board.load(key)
        if not self._boards.board.knows(key):
            load = replace(load, silent=True, last_activity=now + _UNHEARD)
        if not load.depth and self._settings.busy(key):
            load = replace(load, waiting=1)
        return load

    def _tell(self, entry: Entry, wanted: Json) -> float | None:
        """Remembers the status where it differs; seconds until a depth that was held back may be told."""
        patch, now = status_patch(dict(wanted), entry.status), self._settings.now()
        if (wait := self._pace.wait(entry.key, patch, now)) is not None:
            return wait
        if patch:
            before = entry.document
            kept = {**entry.status, **{name: wanted[name] for name in patch}}
            entry.status = {name: value for name, value in kept.items() if value is not None}
            self._entries.remember(entry)
            self._settings.told(before, entry.document)
        self._pace.written(entry.key, patch, now)
        return None

    def _wind_down(self, entry: Entry) -> None:
        if self._replicas.end_all(entry.key):
            self._entries.forget(entry)
            self.forget(entry)

    def forget(self, entry: Entry) -> None:
        """A service is no more, or another one has taken its name."""
        self._boards.forget(entry.key)
        self._autoscaler.forget(entry.key)
        self._pace.forget(entry.key)
        self._settings.told(entry.document, {})
