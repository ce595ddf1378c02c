"""What must outlive the supervisor of each service: who it is, and its status; one file each."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tidegate.domain.loose import Json, mapping, text, whole
from tidegate.domain.service import ServiceKey

_logger = logging.getLogger("tidegate.local")

_MODE = 0o600  # a spec may hold a token in engine.env


@dataclass(frozen=True, slots=True)
class Record:
    """``created``: a timestamp. ``generation`` counts the specs that there were; ``spec`` is the last one."""

    uid: str
    created: str
    generation: int
    spec: Json
    status: Json


Put = Callable[[ServiceKey, Callable[[], None]], None]


def at_once(_: ServiceKey, write: Callable[[], None]) -> None:
    """Whoever puts it waits for the disk."""
    write()


class Records:
    """Files NAMESPACE/NAME.json below a folder. What has not changed is not written.

    ``put``: how a write for a service is done, at once or soon, one after another.
    """

    def __init__(self, folder: Path, put: Put = at_once) -> None:
        self._folder = folder
        self._put = put
        self._written: dict[ServiceKey, Record] = {}
        self._complaint = ""

    def load(self) -> dict[ServiceKey, Record]:
        """All of them; one that cannot be read is left out: its service begins anew."""
        for path in sorted(self._folder.glob("*/*.json")):
            try:
                record = _record(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError) as error:
                _logger.warning("%s cannot be read, its service begins anew: %s", path, error)
            else:
                self._written[ServiceKey(path.parent.name, path.stem)] = record
        return dict(self._written)

    def save(self, key: ServiceKey, record: Record) -> None:
        """Has it on the disk, whole or as it was. A disk that is full costs the memory, not the service."""
        if self._written.get(key) != record:
            self._written[key] = record
            self._put(key, partial(self._try_write, key, record))

    def _try_write(self, key: ServiceKey, record: Record) -> None:
        try:
            self._write(key, record)
        except OSError as error:
            self._written.pop(key, None)  # it is tried again the next time
            self._complain(f"{self._path(key)} cannot be written, so a restart forgets: {error}")
        else:
            self._complaint = ""

    def remove(self, key: ServiceKey) -> None:
        """A service is gone."""
        self._written.pop(key, None)
        self._put(key, partial(self._try_remove, key))

    def _try_remove(self, key: ServiceKey) -> None:
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            self._complain(f"{self._path(key)} cannot be removed: {error}")

    def _write(self, key: ServiceKey, record: Record) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.touch(_MODE)
        new.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
        new.replace(path)

    def _path(self, key: ServiceKey) -> Path:
        return self._folder / key.namespace / f"{key.name}.json"

    def _complain(self, said: str) -> None:
        if said != self._complaint:
            self._complaint = said
            _logger.error("%s", said)


def _record(read: object) -> Record:
    found = mapping(read)
    if not text(found.get("uid")) or not text(found.get("created")):
        raise ValueError("it is no record of a service")
    return Record(
        uid=text(found["uid"]),
        created=text(found["created"]),
        generation=whole(found.get("generation")),
        spec=dict(_items(found.get("spec"))),
        status=dict(_items(found.get("status"))),
    )


def _items(value: object) -> Iterator[tuple[str, object]]:
    yield from mapping(value).items()
