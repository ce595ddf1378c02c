"""What a supervisor shows of one service, for whoever lists or describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.domain.loose import Json
from tidegate.domain.scaling import Load


@dataclass(frozen=True, slots=True)
class Shown:
    """At one moment. ``service``: the whole object with its status; one that is being deleted has a
    deletionTimestamp. ``logs``: file by pod. ``warnings``: sentences about fields without an effect here.
    ``manifest``: the file that the service is from."""

    service: Json
    deployment: Json
    pods: tuple[Json, ...]
    load: Load
    logs: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    manifest: str = ""
