"""What happens in one sleep/wake cycle: which requests come, in which phase, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

OPTIONAL = 0.5  # the chance of each phase but the first to have a request in a cycle
STREAMED = 0.4  # of all requests
IDLE_TIMEOUT = 1  # seconds, of the services


class Phase(StrEnum):
    """Where in its cycle a service is."""

    ASLEEP = "asleep"
    WAKING = "waking"  # a worker is wanted, and its process does not run
    LOADING = "loading"  # it runs and does not answer yet
    JUST_READY = "just ready"
    RUNNING = "running"
    IDLE = "idle"
    DECIDING = "deciding"  # around the moment at which the idle timeout ends
    TERMINATING = "terminating"  # none is wanted, and the last one ends


@dataclass(frozen=True)
class Step:
    """One request: when in its cycle it is sent, how many seconds into that phase, and what it asks for."""

    phase: Phase
    after: float
    stream: bool
    tokens: int


# How far into its phase a request is sent, in seconds: from, to.
_AFTER: dict[Phase, tuple[float, float]] = {
    Phase.ASLEEP: (0.0, 0.5),
    Phase.TERMINATING: (0.0, 0.3),
    Phase.WAKING: (0.0, 0.1),
    Phase.LOADING: (0.0, 0.2),
    Phase.JUST_READY: (0.0, 0.0),
    Phase.RUNNING: (0.0, 0.3),
    Phase.IDLE: (0.05, 0.7),
    Phase.DECIDING: (IDLE_TIMEOUT - 0.2, IDLE_TIMEOUT + 0.4),
}
_LATER = (Phase.WAKING, Phase.LOADING, Phase.JUST_READY, Phase.RUNNING, Phase.IDLE, Phase.DECIDING)


def draw(chance: random.Random) -> tuple[Step, ...]:
    """The requests of one cycle, in the order of its phases; the first one wakes."""
    first = chance.choice((Phase.ASLEEP, Phase.TERMINATING))
    later = [phase for phase in _LATER if chance.random() < OPTIONAL]
    return tuple(_step(chance, phase) for phase in (first, *later))


def _step(chance: random.Random, phase: Phase) -> Step:
    """A hundred tokens a second: streams of 0.05 to 1.5 s, other answers of up to 0.3 s."""
    stream = chance.random() < STREAMED
    tokens = chance.randint(5, 150) if stream else chance.randint(1, 30)
    return Step(phase, chance.uniform(*_AFTER[phase]), stream, tokens)
