"""One piece of news of a service, as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """``count``: how often it was so, ``first`` and ``last``: when (Unix time)."""

    type: str
    reason: str
    note: str
    first: float
    last: float
    count: int = 1
