"""When a worker whose engine has ended is started again, where it says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tidegate.domain.loose import Json, mapping
from tidegate.domain.timestamps import from_timestamp

NEXT_START_ANNOTATION: Final = "tidegate.io/next-start"  # RFC 3339; only while its start is put off


def next_start(pods: Iterable[Json]) -> float | None:
    """The Unix time of the first of them; None where none is put off."""
    noted = (mapping(mapping(pod.get("metadata")).get("annotations")) for pod in pods)
    times = (from_timestamp(each.get(NEXT_START_ANNOTATION)) for each in noted)
    return min((time for time in times if time is not None), default=None)
