"""What a ``tidegate up`` tells of its services: one line for each thing that a person waits for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.domain.events import COLD_START, WARNING, Announcement
from tidegate.domain.loose import Json, condition, mapping, text, whole
from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.news import Change
from tidegate.views import words

_DEFAULT_NAMESPACE: Final = "default"
_NUMBER_NEWS: Final = ("Woken", "ScaledUp", "Asleep", "ScaledDown")
PHASE_WIDTH: Final = 9  # of the longest, Suspended


def called(key: ServiceKey) -> str:
    """The service in a line: its name, with the namespace where that is no default."""
    return key.name if key.namespace == _DEFAULT_NAMESPACE else str(key)


def first_line(service: Json) -> str:
    """Of a service that was not there before: what it is, and how it is called."""
    status, spec = mapping(service.get("status")), mapping(service.get("spec"))
    phase, resources = text(status.get("phase")), mapping(spec.get("resources"))
    if phase == "Failed":
        return f"{phase:<{PHASE_WIDTH}}  {_why(status)}"
    cores = words.count(whole(resources.get("cpu")), "core")
    what = f"{text(mapping(spec.get('model')).get('uri'))}, {cores}, {resources.get('memory')}"
    waits = "; the next request wakes it" if phase == "Idle" else ""
    return f"{phase:<{PHASE_WIDTH}}  {what}{waits}"


def lines(change: Change, service: Json) -> Iterator[str]:
    """Of a change of a service that was there before."""
    news = [each for each in change.news if each.reason != COLD_START]
    if change.phase:
        told = _beside_phase(change, news, service)
        yield f"{change.phase:<{PHASE_WIDTH}}  {told}".rstrip()
        news = [each for each in news if not told.startswith(_said(each)) and each.reason not in _NUMBER_NEWS]
    for each in news:
        yield f"{'':<{PHASE_WIDTH}}  {_said(each)}"


def _said(news: Announcement) -> str:
    return (
        f"{news.reason}: {news.note}"
        if news.type == WARNING or news.reason not in _NUMBER_NEWS
        else news.note
    )


def _beside_phase(change: Change, news: list[Announcement], service: Json) -> str:
    """Why it is in this phase now."""
    status = mapping(service.get("status"))
    number = next((each.note for each in news if each.reason in _NUMBER_NEWS), "")
    if change.phase == "Failed":
        return _why(status)
    if change.phase == "Running":
        return f"{text(status.get('ready'))} workers ready"
    return number or ("once more" if (change.was, change.phase) == ("Failed", "Starting") else "")


def _why(status: Json) -> str:
    ready = condition(status, "Ready")
    return f"{text(ready.get('reason'))}: {text(ready.get('message'))}"
