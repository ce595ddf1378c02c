"""What holds all the time: the queue's limit, the workers' cores, the cost, the targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.domain import limits
from tidegate.domain.conditions import SLO_MET
from tidegate.domain.isolation import CPU_ISOLATED
from tidegate.domain.loose import mapping, text, whole
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Topic

_SOURCES: Final = {
    limits.SPEC: "spec.queue.maxDepth says so",
    limits.DEFAULT: "the installation's default, since spec.queue.maxDepth is not set",
    limits.CALIBRATION: "a load test has found it, and spec.queue.maxDepth is not set",
}
_CORES: Final = {
    "Exclusive": "each worker has cores of its own",
    "Shared": "the workers share their cores with others",
    "Throttled": "the workers have cores of their own, and less time on them than they want",
    "Unknown": "nobody knows the CPU manager policy of the workers' nodes",
}
_JUDGED: Final = {"True": "Met", "False": "Missed"}


def queue(facts: Facts) -> Topic:
    """The limit, where it comes from, and how much of it is used."""
    told = mapping(facts.status.get("queue"))
    limit, source, depth = whole(told.get("limit")), text(told.get("source")), facts.depth
    if not limit:
        return Topic("Queue", ("The status does not tell a limit yet.",))
    said = _SOURCES.get(source, f"by {source or 'an unknown source'}")
    sentences = [f"At most {limit} requests wait or run at once, and one more gets 429: {said}."]
    if depth is not None and not (facts.deleted and facts.seen.here):  # what still runs is in no queue
        full = ", so it is full" if depth >= limit else ""
        now = f"{words.number(depth, 'request')} {'waits or runs' if depth <= 1 else 'wait or run'}"
        sentences.append(f"Now {now}{full}.")
    return Topic("Queue", tuple(sentences))


def cores(facts: Facts) -> Topic | None:
    """Whether the workers' cores are their own; None where no worker runs, or nobody asks."""
    judged, word = facts.condition(CPU_ISOLATED), text(facts.status.get("isolation"))
    asked = facts.spec.cpu_isolation if facts.spec else ""
    if not whole(facts.status.get("replicas")):
        return None
    if judged.get("reason") == "NoWorkers":
        return None
    if judged:
        said = f"{text(judged.get('reason'))}: {text(judged.get('message'))}"
        known = _wanted(asked) if judged.get("status") == "False" else ""
        return Topic("Cores", (words.sentence(said), *([known] if known else [])))
    said = _CORES.get(word, f"they are {word}")
    return Topic("Cores", (f"{word}: {said} (cpuIsolation {asked or 'unknown'}).",)) if word else None


def _wanted(asked: str) -> str:
    return f"cpuIsolation is {asked}: docs/isolation.md says what to do." if asked else ""


def cost(facts: Facts) -> Topic | None:
    """What the workers that exist cost an hour; None without a price."""
    pricing, told = facts.spec.pricing if facts.spec else None, mapping(facts.status.get("cost"))
    if told:
        price = f" at {pricing.per_replica_hour} each" if pricing else ""
        workers = words.number(whole(facts.status.get("replicas")), "worker")
        amount = f"{text(told.get('currency'))} {text(told.get('perHour'))}"
        return Topic("Cost", (f"{amount} an hour now: {workers}{price} (spec.pricing).",))
    return Topic("Cost", ("spec.pricing is set, and the status has no cost yet.",)) if pricing else None


def targets(facts: Facts) -> Topic | None:
    """Whether spec.slo is met; None where there are no targets."""
    sentences = tuple(_targets(facts))
    return Topic("Targets", sentences) if sentences else None


def _targets(facts: Facts) -> Iterator[str]:
    judged = facts.condition(SLO_MET)
    if not judged:
        if facts.spec and facts.spec.slo:
            yield "spec.slo is set, and the operator has not judged it yet."
        return
    word = _JUDGED.get(text(judged.get("status")), "Not known")
    since = words.since(facts.time(judged, "lastTransitionTime"), facts.now)
    yield words.sentence(f"{word}{' ' + since if since else ''}: {text(judged.get('message'))}")
