"""The phase: a summary of the facts for people. Conditions are the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tidegate.domain.causes import Cause
from tidegate.domain.draining import NONE_DRAINING, Draining
from tidegate.domain.start_stage import Stage


class Phase(StrEnum):
    """Idle → Starting → Running → Stopping → Idle; Suspended and Failed from anywhere."""

    IDLE = "Idle"  # no worker; the next request wakes one
    STARTING = "Starting"  # workers are wanted, none is ready, nothing has failed
    RUNNING = "Running"  # at least one worker is ready
    STOPPING = "Stopping"  # no worker is wanted, and some still finish
    SUSPENDED = "Suspended"  # no worker, and no request will wake one
    FAILED = "Failed"  # it does not run, and waiting alone will not change that


@dataclass(frozen=True, slots=True)
class PhaseFacts:
    """What phase and conditions depend on.

    ``cause``: why a worker is not ready. ``remembered``: the cause that ended the last start, kept
    while nothing has been tried since. ``unscheduled``: workers without a node, and why the first of them
    has none. ``stage``: of the worker whose start has come furthest; None where none starts. ``here``: they
    are processes of one machine, which nothing but the sentences depends on.
    """

    suspended: bool
    wanted: int  # workers that should run
    ready: int  # workers that take requests
    remaining: int  # pods of any kind, those that finish included
    cause: Cause | None = None
    remembered: Cause | None = None
    unscheduled: int = 0
    unscheduled_cause: Cause | None = None
    stage: Stage | None = None
    draining: Draining = NONE_DRAINING
    here: bool = False


# First match wins, so each line may rely on those above it not holding.
TABLE: tuple[tuple[Phase, Callable[[PhaseFacts], bool]], ...] = (
    (Phase.STOPPING, lambda facts: facts.suspended and facts.remaining > 0),
    (Phase.SUSPENDED, lambda facts: facts.suspended),
    (Phase.FAILED, lambda facts: facts.wanted == 0 and facts.remembered is not None),
    (Phase.STOPPING, lambda facts: facts.wanted == 0 and facts.remaining > 0),
    (Phase.IDLE, lambda facts: facts.wanted == 0),
    (Phase.RUNNING, lambda facts: facts.ready > 0),
    (Phase.FAILED, lambda facts: facts.cause is not None and facts.cause.failure),
    (Phase.STARTING, lambda _: True),
)


def phase_of(facts: PhaseFacts) -> Phase:
    """The phase for these facts, whatever it was before."""
    return next(phase for phase, holds in TABLE if holds(facts))
