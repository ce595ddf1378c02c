"""status.coldStarts: how often a service started from zero, and what the last time was spent on.

A start is counted when its worker is Ready, by the pod's own status, or when a gateway tells of it, whichever
comes first; that it is one and the same, its worker's name or its time tells. Its parts are written once,
when nobody has anything to add: then it is news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from tidegate.domain.loose import text, whole
from tidegate.domain.start_parts import Details, Part, parts_of, until_ready, whole_of, written
from tidegate.domain.start_record import StartRecord
from tidegate.domain.timestamps import from_timestamp, to_micro_timestamp
from tidegate.domain.workers import WorkerFacts

Json = dict[str, Any]

RECENT = 5  # starts whose median is taken for usual: two that pulled an image do not move it


@dataclass(frozen=True, slots=True)
class Starts:
    """What is known now. ``records``: of the gateways, oldest first. ``pending``: a gateway that watches a
    start, or is not heard, may tell of it yet. ``details``: what was asked about a worker, by its uid; None:
    nobody has answered yet."""

    records: tuple[StartRecord, ...] = ()
    pending: bool = False
    details: Callable[[str], Details | None] = lambda _: None


def count_starts(
    before: Mapping[str, Any], workers: tuple[WorkerFacts, ...], starts: Starts, *, turned_ready: bool
) -> Json | None:
    """The status of the cold starts after ``before``; ``turned_ready``: one serves, and none did before."""
    after = _by_records(dict(before), starts.records)
    if after == before:
        after = _by_records_of_same(after, workers, starts.records)
    if turned_ready:
        after = _by_pod(after, workers)
    if open_worker(after) and not starts.pending:
        after = _completed(after, workers, starts)
    return after or None


def open_worker(status: Mapping[str, Any]) -> str:
    """The pod of the last start, while its parts are not known; else empty."""
    told = "parts" in status or "lastTime" not in status  # an earlier release wrote no time, and told nobody
    return "" if told else text(status.get("lastWorker"))


def usual_seconds(status: Mapping[str, Any]) -> float | None:
    """How long a start takes until a worker is ready, pulls of images left out: the median of the last few;
    None before the first."""
    try:
        recent = [float(each) for each in status.get("recentSeconds") or ()]
        return median(recent) if recent else float(status["lastSeconds"])
    except (KeyError, TypeError, ValueError):
        return None


def _by_records(status: Json, records: tuple[StartRecord, ...]) -> Json:
    """Every record of a start that began after the last counted one was ready is one more. Where the arbiter
    changes during a start, two gateways tell of it."""
    since, worker = _last_counted(status, records), status.get("lastWorker")
    new: list[StartRecord] = []
    for each in records:
        if each.began > since and each.worker != worker:
            new.append(each)
            since, worker = each.at, each.worker
    return _counted(status, new[-1], len(new)) if new else status


def _last_counted(status: Mapping[str, Any], records: tuple[StartRecord, ...]) -> float:
    """Unix time at which the last start that was counted was over; 0 before the first. A definition of an
    earlier release keeps no time: its worker's record has it then."""
    told = from_timestamp(status.get("lastTime"))
    if told is not None:
        return told
    return max((each.at for each in records if each.worker == status.get("lastWorker")), default=0.0)


def _by_records_of_same(
    status: Json, workers: tuple[WorkerFacts, ...], records: tuple[StartRecord, ...]
) -> Json:
    """Of workers that started together the gateway may have seen another one first than the kubelet."""
    counted = open_worker(status)
    if not records or not counted or any(each.worker == counted for each in records):
        return status
    took = usual_seconds({"lastSeconds": status.get("lastSeconds")}) or 0.0
    began = (from_timestamp(status.get("lastTime")) or 0.0) - took  # a record of before is of another start
    present = any(each.name == records[-1].worker for each in workers)
    return _counted(status, records[-1], 0) if present and records[-1].at >= began else status


def _by_pod(status: Json, workers: tuple[WorkerFacts, ...]) -> Json:
    """One whose readiness flaps, or that belongs to the start that was counted last, is not counted again."""
    ready = [worker for worker in workers if worker.ready and worker.restarts == 0]
    first = min(ready, key=lambda worker: (worker.ready_since or 0.0, worker.name), default=None)
    since = from_timestamp(status.get("lastTime")) or 0.0
    if first is None or first.name == status.get("lastWorker") or first.created < since:
        return status
    at = first.ready_since or 0.0
    return _begun(status, first.name, at, max(0.0, at - first.created), 1)


def _counted(status: Json, record: StartRecord, more: int) -> Json:
    return _begun(status, record.worker, record.at, max(dict(record.points).values()), more)


def _begun(status: Json, worker: str, at: float, seconds: float, more: int) -> Json:
    """A start is counted; its parts are not known yet. The time never goes back, whose clock it is."""
    latest = max(at, from_timestamp(status.get("lastTime")) or 0.0)
    kept = {name: value for name, value in status.items() if name != "parts"}
    return kept | {
        "count": whole(status.get("count")) + more,
        "lastSeconds": f"{seconds:.2f}",
        "lastWorker": worker,
        "lastTime": to_micro_timestamp(round(latest, 3)),
    }


def _completed(status: Json, workers: tuple[WorkerFacts, ...], starts: Starts) -> Json:
    """With its parts, where all is known that can be; a pod that is gone can tell nothing any more."""
    worker = open_worker(status)
    record = next((each for each in reversed(starts.records) if each.worker == worker), None)
    pod = next((each for each in workers if each.name == worker), None)
    details = starts.details(pod.uid) if pod else Details()
    if details is None or (record is None and (pod is None or pod.ready_since is None)):
        return status
    parts = parts_of(dict(record.points), details) if record else _parts_of_pod(pod, details)
    texts = written(parts)
    usual = until_ready(texts) - Decimal(texts.get(Part.IMAGE.key, "0"))
    recent = [f"{usual:.2f}", *(status.get("recentSeconds") or ())][:RECENT]
    return status | {"lastSeconds": f"{whole_of(texts):.2f}", "parts": texts, "recentSeconds": recent}


def _parts_of_pod(pod: WorkerFacts | None, details: Details) -> dict[Part, float]:
    """By the pod's own timestamps, in whole seconds, from its creation; what was before, and the first byte,
    nobody has seen."""
    if pod is None:
        return {}
    marks = {"scheduled": pod.scheduled_since, "started": pod.started_since, "loaded": pod.ready_since}
    points = {point: max(0.0, at - pod.created) for point, at in marks.items() if at is not None}
    parts = parts_of({"created": 0.0, **points}, details)
    return {part: seconds for part, seconds in parts.items() if part is not Part.API}
