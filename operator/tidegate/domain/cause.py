"""A cause: one word and one sentence, from whatever others wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidegate.domain.loose import text

MAX_MESSAGE = 1000  # characters; a condition is read by people
_MAX_REASON = 63
_OTHER = re.compile(r"[^A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Cause:
    """One word and one sentence. ``failure``: it will not get better by waiting for the start to go on."""

    reason: str
    message: str
    failure: bool = True


def sentence(value: object, fallback: str) -> str:
    """A text on one line, bounded."""
    return " ".join(text(value).split())[:MAX_MESSAGE] or fallback


def word(value: object, fallback: str) -> str:
    """A reason as the API conventions want it: one CamelCase word."""
    found = _OTHER.sub("", text(value))[:_MAX_REASON]
    return found if found[:1].isalpha() else fallback
