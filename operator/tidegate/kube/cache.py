"""A copy of the objects that the operator reconciles, in which older never replaces newer.

Watches, listings and the answers to our own writes all put into it, in whatever order they come, so a
pass reads its own writes without asking again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from tidegate.control.served_names import ServedNames
from tidegate.domain.service import ServiceKey
from tidegate.resources.names import SERVICE_LABEL

Json = dict[str, Any]

_TOMBSTONES = 10_000  # uids of deleted objects that a late answer might bring back


class Kind(StrEnum):
    """The kinds in the cache."""

    INFERENCE_SERVICE = "InferenceService"
    DEPLOYMENT = "Deployment"
    SERVICE = "Service"
    POD = "Pod"
    POD_DISRUPTION_BUDGET = "PodDisruptionBudget"


def key_of(kind: Kind, raw: Json) -> ServiceKey | None:
    """The InferenceService that an object is or belongs to; None for one without our label."""
    metadata = raw["metadata"]
    if kind is Kind.INFERENCE_SERVICE:
        return ServiceKey(metadata["namespace"], metadata["name"])
    name = (metadata.get("labels") or {}).get(SERVICE_LABEL)
    return ServiceKey(metadata["namespace"], name) if name else None


class ObjectCache:
    """Objects by kind, namespace and name, and by the service that they belong to."""

    def __init__(self) -> None:
        self._objects: dict[Kind, dict[tuple[str, str], Json]] = {kind: {} for kind in Kind}
        self._members: dict[Kind, dict[ServiceKey, set[tuple[str, str]]]] = {kind: {} for kind in Kind}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._listed: dict[Kind, int] = {}  # the version of the last listing
        self.names = ServedNames()

    def put(self, kind: Kind, raw: Json) -> bool:
        """Take an object, unless it is older than what is here or known as deleted; whether it was taken."""
        name = _name(raw)
        if raw["metadata"]["uid"] in self._deleted or not _newer(raw, self._objects[kind].get(name)):
            return False
        self._forget(kind, name)
        self._objects[kind][name] = _slim(raw)
        if kind is Kind.INFERENCE_SERVICE:
            self.names.add(raw)
        if key := key_of(kind, raw):
            self._members[kind].setdefault(key, set()).add(name)
        return True

    def heard(self, kind: Kind, raw: Json) -> bool:
        """Take an object that a watch tells of; whether it was taken.

        Of one that is not known, what is no newer than the last listing is old news: it was gone by then.
        """
        unknown = _name(raw) not in self._objects[kind]
        return not (unknown and _version(raw) <= self._listed.get(kind, 0)) and self.put(kind, raw)

    def remove(self, kind: Kind, raw: Json) -> bool:
        """An object is gone for good; whether that is news. A successor of the same name stays."""
        uid, name = raw["metadata"]["uid"], _name(raw)
        self._deleted[uid] = None
        if len(self._deleted) > _TOMBSTONES:
            self._deleted.popitem(last=False)
        present = self._objects[kind].get(name)
        if present is None or present["metadata"]["uid"] != uid:
            return False
        self._forget(kind, name)
        return True

    def replace_all(self, kind: Kind, items: Iterable[Json], version: str) -> set[ServiceKey]:
        """Take a full listing, read at resource version ``version``; the services for which it was news.

        What is not in it is gone, unless it is newer than the listing. A listing older than the one before
        is of a history that was put back (etcd restored from a backup): it replaces everything.
        """
        before = self._clear(kind) if int(version) < self._listed.get(kind, 0) else set()
        self._listed[kind] = int(version)
        listed = {_name(item): item for item in items}
        absent = [raw for name, raw in self._objects[kind].items() if name not in listed]
        news = [raw for raw in absent if _version(raw) <= int(version) and self._drop(kind, raw)]
        news += [item for item in listed.values() if self._put_listed(kind, item)]
        return before | {key for raw in news if (key := key_of(kind, raw))}

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """The object of this name; None where none is known. Never to be changed."""
        return self._objects[kind].get((namespace, name))

    def of_service(self, kind: Kind, key: ServiceKey) -> list[Json]:
        """The objects that belong to a service, by name."""
        return [self._objects[kind][name] for name in sorted(self._members[kind].get(key, ()))]

    def service_keys(self) -> list[ServiceKey]:
        """Every service that is known or has an object left."""
        return sorted({key for members in self._members.values() for key in members})

    def _clear(self, kind: Kind) -> set[ServiceKey]:
        known = set(self._members[kind])
        self._objects[kind].clear()
        self._members[kind].clear()
        self._deleted.clear()
        return known

    def _put_listed(self, kind: Kind, item: Json) -> bool:
        """As put, but a listing also settles what a lost deletion left: another uid replaces."""
        present = self._objects[kind].get(_name(item))
        if present and present["metadata"]["uid"] != item["metadata"]["uid"]:
            self._drop(kind, present)
        return self.put(kind, item)

    def _drop(self, kind: Kind, raw: Json) -> bool:
        """Out of the cache without a tombstone: it may have left the selector, not the cluster."""
        self._forget(kind, _name(raw))
        return True

    def _forget(self, kind: Kind, name: tuple[str, str]) -> None:
        old = self._objects[kind].pop(name, None)
        if old is not None and kind is Kind.INFERENCE_SERVICE:
            self.names.remove(old)
        if old is None or (key := key_of(kind, old)) is None:
            return
        names = self._members[kind][key]
        names.discard(name)
        if not names:
            del self._members[kind][key]


def _name(raw: Json) -> tuple[str, str]:
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def _version(raw: Json) -> int:
    return int(raw["metadata"]["resourceVersion"])


def _newer(raw: Json, present: Json | None) -> bool:
    return present is None or _version(raw) > _version(present)


def _slim(raw: Json) -> Json:
    """Without managedFields, which are half of an object and are read by nobody here."""
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    return {**raw, "metadata": metadata}
