"""What is filled into an InferenceService when it is written: the queue's limit and the steps of degradation.

Both carry an annotation that records what nobody wrote, and are derived anew with every write. A user's value
stays, also where it equals the recorded one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from tidegate.controller.ownership import is_somebodys, was_applied
from tidegate.domain.degradation import Step, are_defaulted, default_steps, steps_note
from tidegate.domain.limits import HIGHEST_MAX_DEPTH, SPEC, QueueLimit, calibrated_depth, queue_limit
from tidegate.resources.names import (
    CALIBRATED_ANNOTATION,
    DEGRADATION_DEFAULT_ANNOTATION,
    QUEUE_DEFAULT_ANNOTATION,
)

Json = dict[str, Any]
T = TypeVar("T")

_DEPTH = ("spec", "queue", "maxDepth")
_DEGRADATION = ("spec", "degradation")
_STEPS = (*_DEGRADATION, "steps")


class _UnreadableError(Exception):
    """The schema will refuse it, and says so better."""


@dataclass(frozen=True)
class _Parts:
    """What is read of an object; a part that is absent or null is None."""

    resource: Json
    annotations: Json | None
    queue: Json | None
    degradation: Json | None

    def note(self, name: str) -> str | None:
        """An annotation."""
        return _of(str, (self.annotations or {}).get(name))


def default_operations(resource: Json, default_max_depth: int) -> list[Json]:
    """The JSON patch that fills in what is absent; empty where nothing is due.

    What cannot be read is left to the schema.
    """
    try:
        parts = _parts(resource)
        limit = _limit(parts, default_max_depth)
        steps, note = _steps(parts, limit.limit)
        notes = {QUEUE_DEFAULT_ANNOTATION: limit.note, DEGRADATION_DEFAULT_ANNOTATION: note}
        return _annotate(parts, notes) + _set_depth(parts, limit) + _set_steps(parts, steps)
    except _UnreadableError:
        return []


def calibration_warnings(resource: Json, old: Json | None) -> list[str]:
    """A sentence where the calibration's annotation is new and cannot be read."""
    text, before = (_annotation(each, CALIBRATED_ANNOTATION) for each in (resource, old))
    if text is None or text == before or calibrated_depth(text) is not None:
        return []
    return [
        f"metadata.annotations[{CALIBRATED_ANNOTATION}]: {text[:32]!r} is ignored: it must be a whole number "
        f"from 1 to {HIGHEST_MAX_DEPTH}, such as 96"
    ]


def _limit(parts: _Parts, default: int) -> QueueLimit:
    depth = _of(int, (parts.queue or {}).get("maxDepth"))
    note = parts.note(QUEUE_DEFAULT_ANNOTATION)
    calibrated = calibrated_depth(parts.note(CALIBRATED_ANNOTATION))
    limit = queue_limit(depth, note, default, calibrated)
    for value in (depth, limit.limit):  # what is there, and what would be: either may be what a user applied
        if value is not None and is_somebodys(parts.resource, _DEPTH, value, QUEUE_DEFAULT_ANNOTATION):
            return QueueLimit(value, SPEC)
    return limit


def _steps(parts: _Parts, max_depth: int) -> tuple[tuple[Step, ...] | None, str | None]:
    """The steps that must be written, None: as they are; and the annotation that belongs beside them."""
    if parts.degradation is None and not was_applied(parts.resource, _DEGRADATION):
        return None, None
    given = parts.degradation or {}
    steps = _read_steps(given)
    wanted = default_steps(max_depth, _of(int, given.get("maxTokens")))
    if steps is not None and _are_somebodys(parts, given["steps"]):
        return None, None
    if not are_defaulted(steps, parts.note(DEGRADATION_DEFAULT_ANNOTATION)):
        return None, None
    note = None if _are_somebodys(parts, _raw(wanted)) else steps_note(wanted)
    return None if wanted == steps else wanted, note


def _are_somebodys(parts: _Parts, steps: list[Json]) -> bool:
    return is_somebodys(parts.resource, _STEPS, steps, DEGRADATION_DEFAULT_ANNOTATION)


def _set_depth(parts: _Parts, limit: QueueLimit) -> list[Json]:
    if (parts.queue or {}).get("maxDepth") == limit.limit:
        return []
    return [_add("/spec/queue", parts.queue, "maxDepth", limit.limit)]


def _set_steps(parts: _Parts, steps: tuple[Step, ...] | None) -> list[Json]:
    if steps is None:
        return []
    return [_add("/spec/degradation", parts.degradation, "steps", _raw(steps))]


def _raw(steps: tuple[Step, ...]) -> list[Json]:
    return [{"above": step.above, "maxTokens": step.max_tokens} for step in steps]


def _annotate(parts: _Parts, notes: dict[str, str | None]) -> list[Json]:
    existing = parts.annotations or {}
    changed = {name: note for name, note in notes.items() if existing.get(name) != note}
    if changed and parts.annotations is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": changed}]
    return [_annotation_operation(name, note) for name, note in changed.items()]


def _annotation_operation(name: str, note: str | None) -> Json:
    path = f"/metadata/annotations/{_escaped(name)}"
    return {"op": "remove", "path": path} if note is None else {"op": "add", "path": path, "value": note}


def _add(path: str, parent: Json | None, name: str, value: object) -> Json:
    """Set ``name`` under ``path``, whose present content is ``parent``, also where that is missing."""
    if parent is None:
        return {"op": "add", "path": path, "value": {name: value}}
    return {"op": "add", "path": f"{path}/{_escaped(name)}", "value": value}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _parts(resource: Json) -> _Parts:
    spec, metadata = resource.get("spec"), resource.get("metadata")
    if not isinstance(spec, dict) or not isinstance(metadata, dict):
        raise _UnreadableError
    annotations = _of(dict, metadata.get("annotations"))
    return _Parts(resource, annotations, _of(dict, spec.get("queue")), _of(dict, spec.get("degradation")))


def _of(kind: type[T], value: object) -> T | None:
    if value is None or (isinstance(value, kind) and not isinstance(value, bool)):
        return value
    raise _UnreadableError


def _read_steps(degradation: Json) -> tuple[Step, ...] | None:
    given = _of(list, degradation.get("steps"))
    return None if given is None else tuple(map(_read_step, given))


def _read_step(raw: object) -> Step:
    step = _of(dict, raw) or {}
    above, tokens = _of(int, step.get("above")), _of(int, step.get("maxTokens"))
    if above is None or tokens is None:
        raise _UnreadableError
    return Step(above, tokens)


def _annotation(resource: Json | None, name: str) -> str | None:
    metadata = (resource or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    value = annotations.get(name) if isinstance(annotations, dict) else None
    return value if isinstance(value, str) else None
