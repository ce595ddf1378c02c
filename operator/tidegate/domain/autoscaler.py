"""The number of workers, look after look: a pure decision with what it remembers as argument and result.

The operator and the simulator both drive this, one with what a cluster shows and one with a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tidegate.domain.flapping import Flapping
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision, decide_scale, kept_for
from tidegate.domain.surplus import NeedHistory
from tidegate.domain.wake_seen import WakeSeen


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered between two looks at a service; ``Memory()`` knows nothing.

    What must outlive the process, ``wakes`` and ``asleep_since``, is given from the status.
    """

    needed: NeedHistory | None = None  # None: no pool of several workers has been seen
    wakes: int = 0  # short sleeps, see Flapping
    asleep_since: float | None = None  # Unix time since which it sleeps for being idle; None: it does not
    wake: WakeSeen = field(default_factory=WakeSeen)


def decide(  # noqa: PLR0913, PLR0917  the facts of decide_scale, and what is remembered
    bounds: Bounds, pool: Pool, load: Load, now: float, memory: Memory, counters: Counters | None = None
) -> tuple[ScaleDecision, Memory]:
    """The decision at ``now``, Unix seconds, and what the next one must be given.

    ``counters`` None: the workers have not been asked. Where the decision wants them (``ask_counters``), ask,
    look again, and decide once more with the memory that came back.
    """
    flapping = _flapping(bounds, pool, load, now, memory)
    obeyed = replace(bounds, idle_extension=flapping.extended - bounds.idle_timeout)
    wake, needed = memory.wake.seen(pool.replicas, now), _needed(bounds, pool, load, now, memory.needed)
    heard = wake.counted(load, obeyed.idle_after, now)
    found = decide_scale(obeyed, replace(pool, needed=needed), heard, now, counters)
    managed = not bounds.suspended and bounds.external is None
    decision = replace(
        found,
        needed=bounds.metric.workers(load.staying) if managed else None,
        flapping=flapping if managed and flapping.wakes else None,
    )
    asleep_since, wake = _asleep_since(pool, decision, now, memory), wake.decided(decision.replicas)
    return decision, Memory(needed, flapping.wakes, asleep_since, wake)


def _needed(
    bounds: Bounds, pool: Pool, load: Load, now: float, before: NeedHistory | None
) -> NeedHistory | None:
    """Only a pool of several workers can have surplus; a single one is asleep or awake. What others decide on
    is not looked at: once it is ours to decide, all that they leave are needed until then."""
    if pool.replicas <= 1 or bounds.external is not None:
        return None
    history = before or NeedHistory(pool.replicas)
    return history.then(kept_for(bounds, pool, load), now, bounds.scale_down_delay)


def _flapping(bounds: Bounds, pool: Pool, load: Load, now: float, memory: Memory) -> Flapping:
    """A sleep counts when a request has ended it; its end is the creation of the first worker."""
    found = Flapping(memory.wakes, pool.start_seconds, bounds.idle_timeout, bounds.longest_idle_timeout)
    since = memory.asleep_since
    if since is None or pool.replicas == 0 or not _asked_for(load, since):
        return found
    woken = pool.oldest if since <= pool.oldest <= now else now
    return replace(found, wakes=found.after(woken - since))


def _asked_for(load: Load, since: float) -> bool:
    return load.depth > 0 or (load.last_activity or 0.0) >= since


def _asleep_since(pool: Pool, decision: ScaleDecision, now: float, memory: Memory) -> float | None:
    if pool.replicas == 0:
        return memory.asleep_since
    return now if decision.replicas == 0 and decision.reason == "Idle" else None
