"""What a ``tidegate up`` tells of its services over its control socket: written by one process, read by
another, which may be of another release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.domain.loose import Json, mapping, mappings, text, whole
from tidegate.views.event import Event

if TYPE_CHECKING:
    from tidegate.local.supervision.shown import Shown


@dataclass(frozen=True, slots=True)
class Told:
    """One service, as far as it was told. ``load``: the fields of a Load."""

    service: Json
    deployment: Json = field(default_factory=dict)
    pods: tuple[Json, ...] = ()
    load: Json = field(default_factory=dict)
    logs: Mapping[str, Path] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()
    manifest: str = ""

    @property
    def name(self) -> str:
        """Of the service."""
        return text(mapping(self.service.get("metadata")).get("name"))

    @property
    def namespace(self) -> str:
        """Of the service."""
        return text(mapping(self.service.get("metadata")).get("namespace"))


@dataclass(frozen=True, slots=True)
class Telling:
    """All of them, at a moment. ``url``: where clients send their requests."""

    now: float
    pid: int
    url: str
    services: tuple[Told, ...]


def written(shown: Sequence[Shown], events: Mapping[str, Sequence[Event]]) -> list[Json]:
    """The items of an answer; ``events`` by ``namespace/name``."""
    return [_item(each, events.get(_key(each.service), ())) for each in shown]


def _key(service: Json) -> str:
    metadata = mapping(service.get("metadata"))
    return f"{text(metadata.get('namespace'))}/{text(metadata.get('name'))}"


def _item(each: Shown, events: Sequence[Event]) -> Json:
    return {
        "service": each.service,
        "deployment": each.deployment,
        "pods": each.pods,
        "load": asdict(each.load),
        "logs": dict(each.logs),
        "events": [asdict(event) for event in events],
        "warnings": list(each.warnings),
        "manifest": each.manifest,
    }


def read(answer: Json) -> Telling:
    """The same for whoever asked."""
    up, now = mapping(answer.get("up")), answer.get("now")
    services = (_told(each) for each in mappings(answer.get("items")))
    return Telling(
        now=float(now) if isinstance(now, int | float) else 0.0,
        pid=whole(up.get("pid")),
        url=text(up.get("url")),
        services=tuple(services),
    )


def _told(item: Json) -> Told:
    return Told(
        service=mapping(item.get("service")),
        deployment=mapping(item.get("deployment")),
        pods=tuple(mappings(item.get("pods"))),
        load=mapping(item.get("load")),
        logs={str(pod): Path(path) for pod, path in mapping(item.get("logs")).items()},
        events=tuple(_event(each) for each in mappings(item.get("events"))),
        warnings=tuple(each for each in item.get("warnings") or () if isinstance(each, str)),
        manifest=text(item.get("manifest")),
    )


def _event(told: Json) -> Event:
    known = {each.name for each in fields(Event)}
    return Event(**{name: value for name, value in told.items() if name in known})
