"""The three variables that set up the older gateway, as defaults of what the manifests do not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tidegate.domain.limits import HIGHEST_MAX_DEPTH
from tidegate.domain.loose import Json, mapping
from tidegate.resources.names import ENDPOINTS_ANNOTATION, KIND

IDLE_TIMEOUT = "IDLE_TIMEOUT_SEC"
MAX_DEPTH = "Q_MAX"
SUPERVISOR = "ENABLE_SUPERVISOR"
_LONGEST_IDLE = 604_800  # the bound of spec.scaling.idleTimeoutSeconds, a week
_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Legacy:
    """What they say; None where one is absent or empty.

    ``supervisor`` False: the gateway alone, nothing is started or stopped.
    """

    idle_timeout_seconds: int | None = None
    max_depth: int | None = None
    supervisor: bool = True


def read_legacy(environment: Mapping[str, str]) -> Legacy:
    """What the environment says; ValueError names each variable whose value cannot be obeyed."""
    readers: dict[str, tuple[str, Callable[[str], object]]] = {
        IDLE_TIMEOUT: ("idle_timeout_seconds", partial(_number, "seconds", 0, _LONGEST_IDLE)),
        MAX_DEPTH: ("max_depth", partial(_number, "requests", 1, HIGHEST_MAX_DEPTH)),
        SUPERVISOR: ("supervisor", _switch),
    }
    found: dict[str, Any] = {}
    faults = []
    for name, (field, read) in readers.items():
        if text := environment.get(name, "").strip():
            try:
                found[field] = read(text)
            except ValueError as error:
                faults.append(f"{name}: {text!r} {error}")
    if faults:
        raise ValueError("; ".join(faults))
    return Legacy(**found)


def with_legacy(legacy: Legacy, document: Json) -> Json:
    """The InferenceService with what it does not say itself; others' documents are left as they are.

    Never above the service's own maxIdleTimeoutSeconds, and not in mode External, where it would not be read.
    """
    seconds = legacy.idle_timeout_seconds
    spec = document.get("spec")
    scaling = mapping(spec).get("scaling") or {}
    if seconds is None or document.get("kind") != KIND or not isinstance(spec, Mapping):
        return document
    if (
        not isinstance(scaling, Mapping)
        or "idleTimeoutSeconds" in scaling
        or scaling.get("mode") == "External"
    ):
        return document
    longest: Any = scaling.get("maxIdleTimeoutSeconds")
    idle = min(seconds, longest) if isinstance(longest, int) else seconds
    return {**document, "spec": {**spec, "scaling": {**scaling, "idleTimeoutSeconds": idle}}}


def sentences(legacy: Legacy) -> tuple[str, ...]:
    """What they bring about, a line each, for the log."""
    found = []
    if legacy.idle_timeout_seconds is not None:
        field = "spec.scaling.idleTimeoutSeconds"
        found.append(f"{IDLE_TIMEOUT}: {legacy.idle_timeout_seconds} s, for services without {field}")
    if legacy.max_depth is not None:
        found.append(f"{MAX_DEPTH}: {legacy.max_depth} requests, for services without spec.queue.maxDepth")
    if not legacy.supervisor:
        found.append(f"{SUPERVISOR}: off, so workers are neither started nor stopped")
    return tuple(found)


def gateway_only(manifests: Sequence[str]) -> Path:
    """The one file that the gateway alone serves; ValueError for several, a folder or stdin."""
    if len(manifests) == 1 and manifests[0] != "-" and not Path(manifests[0]).is_dir():
        return Path(manifests[0])
    raise ValueError(
        f"{SUPERVISOR}: is off, so -f must name one file, whose services name their workers in the "
        f"annotation {ENDPOINTS_ANNOTATION}"
    )


def _number(unit: str, least: int, most: int, text: str) -> int:
    if _WHOLE.fullmatch(text) and least <= int(text) <= most:
        return int(text)
    raise ValueError(f"is not a whole number of {unit} from {least} to {most}")


def _switch(text: str) -> bool:
    if text.lower() in _ON + _OFF:
        return text.lower() in _ON
    raise ValueError(f"is neither on ({', '.join(_ON)}) nor off ({', '.join(_OFF)})")
