"""Why a service has no worker that is ready, as whoever waits for one is told: a word and a clause.

Clients are not who runs the service: an engine's own words, which may be a line of its log with somebody's
prompt in it, are for ``tidegate describe`` alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tidegate.domain.conditions import MODEL_LOADED, READY
from tidegate.domain.loose import Json, condition, mapping, text
from tidegate.domain.pod_starts import next_start
from tidegate.domain.reasons import Reason

_LONGEST: Final = 300  # characters: it stands in an error's body
_NO_HOLD_UP: Final = frozenset({Reason.READY, Reason.IDLE, Reason.STOPPING, Reason.SUSPENDED})
_OUR_WORDS: Final = frozenset(
    {
        Reason.PENDING,
        Reason.PREPARING,
        Reason.CREATING_CONTAINER,
        Reason.INITIALIZING,
        Reason.LOADING,
        Reason.UNSCHEDULABLE,
    }
)
_OUR_HEAD: Final = re.compile(
    r"the engine (?:ended with exit code \d+|was ended by signal \d+(?: \(\w+\))?)"
    r"|not ready within [\d.e+]+ s \(startupDeadlineSeconds\)"
)


def hold_up(status: Json) -> str:
    """``EngineFailed: the engine ended with exit code 2``, from the status; of a start of which nothing is
    wrong, how far it has come; empty where no worker is waited for."""
    said = condition(status, READY)
    if said.get("reason") == Reason.STARTING:
        said = condition(status, MODEL_LOADED)
    reason = text(said.get("reason"))
    if said.get("status") != "False" or reason in _NO_HOLD_UP:
        return ""
    clause = _clause(reason, text(said.get("message")))
    whole = f"{reason}: {clause}" if clause else reason
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"


def _clause(reason: str, message: str) -> str:
    """What of the message is tidegate's own."""
    if reason in _OUR_WORDS:
        return message
    head = _OUR_HEAD.match(message)
    return head[0] if head else ""


def all_put_off_until(pods: Sequence[Json]) -> float:
    """The Unix time at which the first is started again; 0 where another one may be ready before."""
    alive = [pod for pod in pods if not _has_ended(pod)]
    times = [next_start((pod,)) for pod in alive]
    return min((time for time in times if time is not None), default=0.0) if None not in times else 0.0


def _has_ended(pod: Json) -> bool:
    going = "deletionTimestamp" in mapping(pod.get("metadata"))
    return going or mapping(pod.get("status")).get("phase") == "Failed"
