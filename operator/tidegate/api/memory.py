"""What a status remembers for the next decision, so that it outlives the process that wrote it."""

from __future__ import annotations

from dataclasses import replace

from tidegate.api.status import InferenceServiceStatus
from tidegate.domain.autoscaler import Memory
from tidegate.domain.start_count import usual_seconds
from tidegate.domain.timestamps import from_timestamp


def remembered(status: InferenceServiceStatus | None, memory: Memory) -> Memory:
    """``memory`` with what the status has of it, which outlives the process that wrote it."""
    scaling = status.scaling if status else None
    if scaling is None:
        return replace(memory, wakes=0, asleep_since=None)
    put_to_sleep = scaling.desired == 0 and bool(scaling.previous)  # not: there was nobody before
    asleep = put_to_sleep and scaling.reason == "Idle"
    wakes = scaling.flapping.wakes if scaling.flapping else None
    return replace(memory, wakes=wakes or 0, asleep_since=from_timestamp(scaling.since) if asleep else None)


def last_start(status: InferenceServiceStatus | None) -> float | None:
    """Seconds that a start from zero usually takes, by status.coldStarts: the median of the last few, pulls
    of images left out; None: none is known."""
    starts = status.cold_starts if status else None
    return usual_seconds(starts.model_dump(by_alias=True)) if starts else None
