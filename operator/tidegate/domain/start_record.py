"""A completed cold start, as the gateway that woke the service tells it to the operator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.domain.coldstart import POINTS
from tidegate.domain.loose import mapping, mappings, text

_LONGEST_NAME = 253  # of a pod
_LONGEST_START = 30 * 86400.0  # seconds


@dataclass(frozen=True, slots=True)
class StartRecord:
    """``worker``: the pod that was ready first. ``at``: Unix time at which it was, by the gateway's clock.
    ``points``: as ColdStart has them."""

    worker: str
    at: float
    points: tuple[tuple[str, float], ...]

    @property
    def began(self) -> float:
        """Unix time of the wake."""
        return self.at - dict(self.points)["loaded"]


def record_line(record: StartRecord) -> dict[str, object]:
    """The record in a line of demand; milliseconds are as much as it is good for."""
    points = {point: round(seconds, 3) for point, seconds in record.points}
    return {"worker": record.worker, "at": round(record.at, 3), "points": points}


def parse_records(value: object) -> list[StartRecord]:
    """The records in a line of demand; what cannot be read is left out."""
    return [record for each in mappings(value) if (record := _parse(each))]


def _parse(value: Mapping[str, Any]) -> StartRecord | None:
    worker, at, points = text(value.get("worker")), _number(value.get("at")), mapping(value.get("points"))
    found = {point: seconds for point in POINTS if (seconds := _number(points.get(point))) is not None}
    if not worker or len(worker) > _LONGEST_NAME or at is None or "loaded" not in found:
        return None
    if max(found.values()) > _LONGEST_START:
        return None
    return StartRecord(worker, at, tuple(found.items()))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < 1e11 else None
