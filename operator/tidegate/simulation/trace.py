"""Requests and when they arrive."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Request:
    """One request: seconds since the trace began, and what it asks of a worker.

    ``seconds`` None: its tokens say how long it runs.
    """

    arrival: float
    prompt_tokens: int = 0
    generated_tokens: int = 0
    seconds: float | None = None  # that it runs when it is alone


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their arrivals, over ``duration`` seconds from zero on."""

    requests: tuple[Request, ...]
    duration: float

    def thinned(self, share: float, chance: random.Random) -> Trace:
        """Each request stays with the probability ``share``: the same hour with fewer users, and their times
        of day unchanged."""
        kept = (request for request in self.requests if chance.random() < share)
        return replace(self, requests=tuple(kept))

    def compressed(self, factor: float) -> Trace:
        """The same requests in a ``factor``-th of the time."""
        moved = tuple(replace(each, arrival=each.arrival / factor) for each in self.requests)
        return Trace(moved, self.duration / factor)
