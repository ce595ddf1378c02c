"""What a status remembers for the next decision, so that it outlives the process that wrote it."""

from __future__ import annotations

from dataclasses import replace

from tidegate.api.status import InferenceServiceStatus
from tidegate.domain.autoscaler import Memory
from tidegate.domain.timestamps import from_timestamp


def remembered(status: InferenceServiceStatus | None, memory: Memory) -> Memory:
    """``memory`` with what the status has of it, which outlives the process that wrote it."""
    scaling = status.scaling if status else None
    if scaling is None:
        return replace(memory, wakes=0, asleep_since=None)
    asleep = scaling.desired == 0 and scaling.reason == "Idle"
    wakes = scaling.flapping.wakes if scaling.flapping else None
    return replace(memory, wakes=wakes or 0, asleep_since=from_timestamp(scaling.since) if asleep else None)


def last_start(status: InferenceServiceStatus | None) -> float | None:
    """Seconds that the last start from zero took, as status.coldStarts has them; None: none is known."""
    starts = status.cold_starts if status else None
    try:
        return float(starts.last_seconds) if starts and starts.last_seconds else None
    except ValueError:
        return None  # not written by an operator
