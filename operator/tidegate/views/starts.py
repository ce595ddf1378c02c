"""Workers that start now, and what the last cold start took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tidegate.domain.conditions import MODEL_LOADED
from tidegate.domain.loose import mapping, text, whole
from tidegate.domain.start_stage import Stage
from tidegate.domain.workers import WorkerFacts
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Topic

_NAMED: Final = 4  # workers that are told of one by one
_PARTS: Final = {
    "api": "the pod",
    "scheduling": "its node",
    "image": "the image",
    "container": "the container",
    "imageAndContainer": "the image and the container",
    "engine": "the engine's start",
    "load": "loading the model",
    "engineAndLoad": "the engine's start and loading the model",
    "firstByte": "the first byte",
}
"""What each part of a cold start was spent on, in their order."""
_HERE: Final = {
    "api": "the wake",
    "scheduling": "its cores",
    "container": "its process",
    "imageAndContainer": "its process",
}
"""The same of a worker that is a process of this machine, where it is something else."""


def starting(facts: Facts) -> Topic | None:
    """How far each worker that is not ready has come."""
    coming = [worker for worker in facts.workers if worker.alive and not worker.ready]
    here = facts.seen.here
    sentences = [_stage(worker, facts.now, here=here) for worker in coming[:_NAMED]]
    if len(coming) > _NAMED:
        sentences.append(f"{len(coming) - _NAMED} more start.")
    if missing := _not_made(facts):
        more = words.count(missing, "more worker")
        sentences.append(f"{more} {'is' if missing == 1 else 'are'} about to be made.")
    if not sentences and not facts.pods_known and facts.phase == "Starting":
        sentences.append(
            words.sentence(text(facts.condition(MODEL_LOADED).get("message")) or "a worker starts")
        )
    if sentences and facts.spec and any(worker.stage == Stage.LOADING for worker in coming):
        seconds = facts.spec.engine.startup_deadline_seconds
        sentences.append(f"An engine has {seconds} s to get ready (engine.startupDeadlineSeconds).")
    return Topic("Starting", tuple(sentences)) if sentences else None


def _not_made(facts: Facts) -> int:
    """Workers that the Deployment wants and that have no pod yet; why they have none, the conditions say."""
    alive = sum(1 for worker in facts.workers if worker.alive)
    known = facts.pods_known and facts.seen.deployment is not None and not (facts.deleted and facts.seen.here)
    return max(0, facts.pool.replicas - alive) if known else 0


def _stage(worker: WorkerFacts, now: float, *, here: bool) -> str:
    where = f" on {worker.node}" if worker.node and not here else ""
    again = f", for the {worker.restarts + 1}. time" if worker.restarts else ""
    made = f"made {words.span(now - worker.created)} ago"
    if worker.cause:
        return f"{worker.name}{where}, {made}{again}: {worker.cause.reason}."
    return f"{worker.name}{where}, {made}{again}: {worker.stage.said(here=here)}."


def cold_start(facts: Facts) -> Topic | None:
    """How long the last one took, part by part, and what most of it was."""
    sentences = tuple(_cold_start(facts))
    return Topic("Cold start", sentences) if sentences else None


def _cold_start(facts: Facts) -> Iterator[str]:
    told = mapping(facts.status.get("coldStarts"))
    seconds, number = text(told.get("lastSeconds")), whole(told.get("count"))
    if not seconds:
        return
    which = "The only one so far" if number == 1 else f"The last of {number}"
    ready, worker = facts.time(told, "lastTime"), text(told.get("lastWorker"))
    when = "" if ready is None else f", {words.span(facts.now - ready)} ago"
    what = f"{which} took {seconds} s{when}{f' ({worker})' if worker else ''}"
    parts = _parts(mapping(told.get("parts")), _PARTS | _HERE if facts.seen.here else _PARTS)
    if not parts:
        yield f"{what}; what the time went into is not told."
        return
    spent = words.listed([f"{took} s for {what}" for took, what in parts])
    yield f"{what}."
    yield f"Of these {spent}."
    yield from _longest(parts)


def _parts(told: object, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Seconds and words, in the order of a start; a part that this version does not know comes last."""
    parts = mapping(told)
    order = [*(name for name in names if name in parts), *(name for name in parts if name not in names)]
    return [(text(parts[name]), names.get(name, name)) for name in order if text(parts[name])]


def _longest(parts: list[tuple[str, str]]) -> Iterator[str]:
    numbers = [(_number(took), what) for took, what in parts]
    total, (longest, what) = sum(took for took, _ in numbers), max(numbers)
    if total > 0 and longest / total >= 0.5:
        share = f"{what[0].upper()}{what[1:]} was {100 * longest / total:.0f} % of it"
        yield f"{share}: docs/cold-starts.md says what makes it shorter."


def _number(seconds: str) -> float:
    try:
        return max(0.0, float(seconds))
    except ValueError:
        return 0.0
