"""When the number of workers changes next, if the load stays as it is: the decision, run ahead of time.

Nothing is reckoned a second time: the same function decides as in the operator, with later and later times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision

_MOST_LOOKS: Final = 100  # with a schedule they are an hour apart at most: four days
_LEAST_STEP: Final = 0.01  # seconds; a remaining time may be rounded to nothing
_QUIET: Final = Counters(busy=False, first_asked=0.0)  # nobody comes round the gateway


@dataclass(frozen=True, slots=True)
class Change:
    """Another number of workers than now: at a Unix time, and the decision for it."""

    at: float
    decision: ScaleDecision


def next_change(
    bounds_at: Callable[[float], Bounds], pool: Pool, load: Load, now: float, memory: Memory
) -> Change | None:
    """The first decision for another number than ``pool.replicas``; None: none while the facts stay as they
    are, or none within days. ``bounds_at`` tells what the spec asks for at a Unix time."""
    moment = now
    for _ in range(_MOST_LOOKS):
        decision, memory = decide(bounds_at(moment), pool, load, moment, memory, _QUIET)
        if decision.replicas != pool.replicas:
            return Change(moment, decision)
        if decision.recheck_after is None:
            return None
        moment += max(decision.recheck_after, _LEAST_STEP)
    return None
