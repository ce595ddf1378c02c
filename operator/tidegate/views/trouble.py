"""Why a service is not Ready, or not as it should be: conditions in the order of cause and effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidegate.domain.conditions import BLOCKS, MODEL_LOADED, READY, SCHEDULED, STATES
from tidegate.domain.loose import Json, mapping, text, whole
from tidegate.domain.reasons import Reason
from tidegate.views import words
from tidegate.views.remedies import remedy
from tidegate.views.seen import Facts
from tidegate.views.topic import Topic

CONTESTED: Final = "Contested"
_CAUSE_FIRST: Final = (SCHEDULED, MODEL_LOADED, READY)
_ON_ITS_WAY: Final = frozenset(
    {
        *STATES,
        Reason.NO_WORKERS,
        Reason.PENDING,
        Reason.SCHEDULED,
        Reason.PREPARING,
        Reason.INITIALIZING,
        Reason.CREATING_CONTAINER,
        Reason.LOADING,
        Reason.LOADED,
    }
)
"""Reasons that say how far a start has come; every other one is something wrong."""


def trouble(facts: Facts) -> Topic | None:
    """What is wrong, with what to do about it; None where nothing is."""
    sentences = tuple(_sentences(facts))
    return Topic("Problem", sentences) if sentences else None


def _sentences(facts: Facts) -> Iterator[str]:
    yield from _unheard(facts)
    if facts.spec_error:
        yield words.sentence(f"The spec cannot be read by this version of tidegate: {facts.spec_error}")
    causes = _causes(facts)
    for cause in causes:
        yield from _cause(cause, facts)
    if causes:
        yield from _effect(facts)
    contested = facts.condition(CONTESTED)
    if contested.get("status") == "True":
        yield from _cause(contested, facts)


def _unheard(facts: Facts) -> Iterator[str]:
    """What makes the rest of it old, or missing."""
    metadata = mapping(facts.seen.service.get("metadata"))
    generation, seen = whole(metadata.get("generation")), whole(facts.status.get("observedGeneration"))
    if not facts.status:
        made = facts.time(metadata, "creationTimestamp")
        when = "" if made is None else f" It was made {words.at(made, facts.now)}."
        if facts.seen.here:
            yield f"It has no status yet.{when}"
        else:
            look = "If it stays so, look whether the operator runs."
            yield f"The operator has written no status yet.{when} {look}"
    elif seen and generation > seen:
        yield "The spec was changed after this status was written; what follows is about the spec before."


def _causes(facts: Facts) -> list[Json]:
    """One condition for each reason that is wrong, the first cause first."""
    ready = facts.condition(READY)
    order = (READY,) if text(ready.get("reason")) in BLOCKS else _CAUSE_FIRST
    found: dict[str, Json] = {}
    for each in (facts.condition(kind) for kind in order):
        if each and _is_wrong(each):
            found.setdefault(text(each.get("reason")), each)
    return list(found.values())


def _is_wrong(condition: Json) -> bool:
    """Ready may be True and have a reason that is one: a worker serves, and another cannot."""
    return text(condition.get("reason")) not in _ON_ITS_WAY


def _cause(condition: Json, facts: Facts) -> Iterator[str]:
    reason, message = text(condition.get("reason")), text(condition.get("message"))
    yield words.sentence(message if f"{reason}: " in message else f"{reason}: {message}")
    todo = remedy(reason, here=facts.seen.here)
    todo = todo.replace("NAME", facts.name) if facts.seen.here else todo
    if todo and todo not in message:  # the engine's own line may have said it
        yield f"What to do: {todo}"


def _effect(facts: Facts) -> Iterator[str]:
    ready = facts.condition(READY)
    since = words.since(facts.time(ready, "lastTransitionTime"), facts.now)
    if ready.get("status") == "False":
        yield words.sentence(f"Because of this it has not been Ready {since}")
    elif ready.get("status") == "True" and facts.phase == "Running":
        yield "The workers that are ready go on to serve."
