"""What a person would want to read of a service's life: derived from how its status changed.

From the change alone: what was already so is no news, however often it is looked at, and after a restart of
the operator nothing is announced again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidegate.domain.cause import MAX_MESSAGE
from tidegate.domain.conditions import BLOCKS, READY, STATES, condition_in
from tidegate.domain.loose import mapping, mappings, text
from tidegate.domain.reasons import Reason
from tidegate.domain.start_parts import sentence

Json = Mapping[str, Any]

COLD_START = "ColdStart"
NORMAL, WARNING = "Normal", "Warning"
SCALE, RECONCILE, OBSERVE = "Scale", "Reconcile", "Observe"  # actions, for machines


@dataclass(frozen=True, slots=True)
class Announcement:
    """One piece of news. ``action`` is what was done or observed, for machines."""

    type: str
    reason: str
    note: str
    action: str


def announcements(before: Json, after: Json, why: str = "") -> list[Announcement]:
    """The news between two statuses of a service; ``why``: the sentence of the last scaling decision."""
    return [
        *_scaled(before, after, why),
        *_ready(before, after),
        *_others(before, after),
        *_cold_start(before, after),
    ]


def _scaled(before: Json, after: Json, why: str) -> Iterator[Announcement]:
    old, new = (mapping(each.get("scaling")) for each in (before, after))
    was, wanted = old.get("desired"), new.get("desired")
    if not isinstance(was, int) or not isinstance(wanted, int) or was == wanted:
        return
    cause = "a request arrived" if new.get("reason") == "Woken" else why or text(new.get("reason"))
    reason = _direction(was, wanted)
    yield Announcement(NORMAL, reason, f"{was} → {wanted} workers: {cause}"[:MAX_MESSAGE], SCALE)


def _direction(was: int, wanted: int) -> str:
    if was == 0:
        return "Woken"
    if wanted == 0:
        return "Asleep"
    return "ScaledUp" if wanted > was else "ScaledDown"


def _ready(before: Json, after: Json) -> Iterator[Announcement]:
    """Each cause when it appears, and that it is over once a worker serves or the operator acts again."""
    old, new = (condition_in(mappings(each.get("conditions")), READY) for each in (before, after))
    was, reason = text(old.get("reason")), text(new.get("reason"))
    if not reason or was == reason:
        return
    if reason not in STATES:
        action = RECONCILE if reason in BLOCKS else OBSERVE
        yield Announcement(WARNING, reason, text(new.get("message"))[:MAX_MESSAGE], action)
    elif _is_over(was, reason):
        yield Announcement(
            NORMAL, "Recovered", f"{was} is over: {text(new.get('message'))}"[:MAX_MESSAGE], OBSERVE
        )


def _is_over(was: str, reason: str) -> bool:
    """A cause is over once a service serves with nothing wrong, a block with whatever follows."""
    return bool(was) and was not in STATES and (was in BLOCKS or reason == Reason.READY)


def _others(before: Json, after: Json) -> Iterator[Announcement]:
    """SLOMet and CPUIsolated: when they become False, and when they are True again."""
    for kind in ("SLOMet", "CPUIsolated"):
        old, new = (condition_in(mappings(each.get("conditions")), kind) for each in (before, after))
        note = f"{kind}: {text(new.get('message'))}"[:MAX_MESSAGE]
        if new.get("status") == "False" and old.get("status") != "False":
            yield Announcement(WARNING, text(new.get("reason")), note, OBSERVE)
        elif new.get("status") == "True" and old.get("status") == "False":
            yield Announcement(NORMAL, text(new.get("reason")), note, OBSERVE)


def _cold_start(before: Json, after: Json) -> Iterator[Announcement]:
    """What a start from zero was spent on, once all is known of it."""
    old, new = (mapping(each.get("coldStarts")) for each in (before, after))
    parts, again = mapping(new.get("parts")), old.get("lastWorker") == new.get("lastWorker")
    if parts and not (again and old.get("parts")):
        yield Announcement(NORMAL, COLD_START, sentence(parts)[:MAX_MESSAGE], OBSERVE)
