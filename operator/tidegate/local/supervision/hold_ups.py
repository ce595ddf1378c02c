"""Why a service has no worker that is ready, as whoever waits for one is told: a word and a clause."""

from __future__ import annotations

from typing import Final

from tidegate.domain.conditions import MODEL_LOADED, READY
from tidegate.domain.loose import Json, condition, text
from tidegate.domain.reasons import Reason

_LONGEST: Final = 300  # characters: it stands in an error's body
_NO_HOLD_UP: Final = frozenset({Reason.READY, Reason.IDLE, Reason.STOPPING, Reason.SUSPENDED})


def hold_up(status: Json) -> str:
    """``EngineFailed: the engine ended with exit code 2``, from the status; of a start of which nothing is
    wrong, how far it has come; empty where no worker is waited for."""
    said = condition(status, READY)
    if said.get("reason") == Reason.STARTING:
        said = condition(status, MODEL_LOADED)
    reason = text(said.get("reason"))
    if said.get("status") != "False" or reason in _NO_HOLD_UP:
        return ""
    whole = f"{reason}: {text(said.get('message'))}"
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"
