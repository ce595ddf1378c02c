"""The services of this machine: what the manifests say, and what was remembered of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.api.config import service_key
from tidegate.api.v1alpha1 import InferenceService, parse
from tidegate.domain.loose import Json
from tidegate.domain.service import ServiceKey
from tidegate.domain.timestamps import to_timestamp
from tidegate.local.manifests.manifest_set import Manifest, ManifestSet
from tidegate.local.supervision.records import Record, Records
from tidegate.local.worker.template import WorkerTemplate


@dataclass
class Entry:
    """One service. ``replicas`` None: as many as workers of a predecessor were adopted. ``fault``: why there
    is no template, a sentence that names the field. ``stale``: the template is not of what the manifests say
    now, and has to be made anew. ``deleted``: the time at which its manifest was gone."""

    key: ServiceKey
    manifest: Manifest
    uid: str
    created: str
    generation: int
    status: Json = field(default_factory=dict)
    replicas: int | None = None
    template: WorkerTemplate | None = None
    fault: str = ""
    stale: bool = True
    deleted: str = ""
    costs: dict[str, int] = field(default_factory=dict)  # deletion costs by a worker's uid
    _read: tuple[Manifest, Json, InferenceService] | None = None  # the typed form, and of what

    @property
    def document(self) -> dict[str, Any]:
        """The whole object, as an API server would have it."""
        own = {"uid": self.uid, "creationTimestamp": self.created, "generation": self.generation}
        leaving = {"deletionTimestamp": self.deleted} if self.deleted else {}
        written = self.manifest.document
        return {
            **written,
            "metadata": {**written["metadata"], **own, **leaving},
            **({"status": self.status} if self.status else {}),
        }

    @property
    def service(self) -> InferenceService:
        """The same, typed. The files were checked when they were read, the status when it was remembered."""
        if self._read is None or self._read[0] is not self.manifest or self._read[1] is not self.status:
            self._read = self.manifest, self.status, parse(self.document)
        return self._read[2]

    @property
    def record(self) -> Record:
        """What must outlive this process."""
        return Record(self.uid, self.created, self.generation, self.manifest.document["spec"], self.status)


@dataclass(frozen=True, slots=True)
class Taken:
    """What new manifests mean. ``replaced``: were being deleted, and another one has their name now."""

    new: tuple[Entry, ...]
    replaced: tuple[Entry, ...]


class Entries:
    """``now`` returns Unix time, ``new_uid`` a word that never comes twice."""

    def __init__(self, records: Records, now: Callable[[], float], new_uid: Callable[[], str]) -> None:
        self._records = records
        self._now = now
        self._new_uid = new_uid
        self._entries: dict[ServiceKey, Entry] = {}
        self._remembered: Mapping[ServiceKey, Record] | None = None

    def get(self, key: ServiceKey) -> Entry | None:
        """The service of this name, also one that is being deleted."""
        return self._entries.get(key)

    def all(self) -> list[Entry]:
        """By key."""
        return [self._entries[key] for key in sorted(self._entries)]

    def take(self, manifests: ManifestSet) -> Taken:
        """These are all the manifests now. A service that comes back before its last worker is gone is a new
        one."""
        remembered = self._load() if self._remembered is None else {}
        present = {entry.key: entry for entry in self._entries.values() if not entry.deleted}
        for key in present.keys() - manifests.services.keys():
            present[key].deleted = to_timestamp(self._now())
        new, replaced = [], []
        for key, manifest in manifests.services.items():
            if known := present.get(key):
                self._update(known, manifest)
                continue
            replaced += [self._entries[key]] if key in self._entries else []
            new.append(self._new(key, manifest, remembered.get(key)))
            self._entries[key] = new[-1]
            self.remember(new[-1])
        for key in remembered.keys() - self._entries.keys():
            self._records.remove(key)  # it has no manifest any more
        return Taken(tuple(new), tuple(replaced))

    def remember(self, entry: Entry) -> None:
        """Has on the disk what must outlive this process."""
        self._records.save(entry.key, entry.record)

    def _load(self) -> Mapping[ServiceKey, Record]:
        self._remembered = self._records.load()
        return self._remembered

    def forget(self, entry: Entry) -> None:
        """Its last worker is gone, and so is it."""
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
            self._records.remove(entry.key)

    def _new(self, key: ServiceKey, manifest: Manifest, before: Record | None) -> Entry:
        if before is None:
            return Entry(key, manifest, self._new_uid(), to_timestamp(self._now()), 1)
        same = before.spec == manifest.document["spec"]
        generation = before.generation if same else before.generation + 1
        entry = Entry(key, manifest, before.uid, before.created, generation, before.status)
        try:
            service_key(entry.service)
        except ValueError:
            entry.status = {}  # another version wrote it
        return entry

    def _update(self, entry: Entry, manifest: Manifest) -> None:
        before, entry.manifest = entry.manifest, manifest
        if before.document["spec"] != manifest.document["spec"]:
            entry.generation += 1
        self.remember(entry)
