"""The number of workers, look after look: a pure decision with what it remembers as argument and result.

The operator and the simulator both drive this, one with what a cluster shows and one with a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision, decide_scale, kept_for
from tidegate.domain.surplus import NeedHistory


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered between two looks at a service; ``Memory()`` knows nothing.

    Without it no worker is stopped earlier: all that run are taken for needed until the first look.
    """

    needed: NeedHistory | None = None  # None: no pool of several workers has been seen


def decide(  # noqa: PLR0913, PLR0917  the facts of decide_scale, and what is remembered
    bounds: Bounds, pool: Pool, load: Load, now: float, memory: Memory, counters: Counters | None = None
) -> tuple[ScaleDecision, Memory]:
    """The decision at ``now``, Unix seconds, and what the next one must be given.

    ``counters`` None: the workers have not been asked. Where the decision wants them (``ask_counters``), ask,
    look again, and decide once more with the memory that came back.
    """
    after = replace(memory, needed=_needed(bounds, pool, load, now, memory.needed))
    return decide_scale(bounds, replace(pool, needed=after.needed), load, now, counters), after


def _needed(
    bounds: Bounds, pool: Pool, load: Load, now: float, before: NeedHistory | None
) -> NeedHistory | None:
    """Only a pool of several workers can have surplus; a single one is asleep or awake."""
    if pool.replicas <= 1:
        return None
    history = before or NeedHistory(pool.replicas)
    return history.then(kept_for(bounds, pool, load), now, bounds.scale_down_delay)
