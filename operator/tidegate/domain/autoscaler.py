"""The number of workers, look after look: a pure decision with what it remembers as argument and result.

The operator and the simulator both drive this, one with what a cluster shows and one with a trace.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tidegate.domain.flapping import Flapping
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scale_facts import Facts
from tidegate.domain.scale_up import LOOK, STABLE, Pressure, first_pressure, wanted
from tidegate.domain.scaling import Counters, Load, Pool, ScaleDecision, decide_scale, kept_for
from tidegate.domain.scaling_metrics import HEADROOM
from tidegate.domain.surplus import NeedHistory
from tidegate.domain.wake_seen import WakeSeen


@dataclass(frozen=True, slots=True)
class Memory:
    """All that is remembered between two looks at a service; ``Memory()`` knows nothing.

    What must outlive the process, ``wakes`` and ``asleep_since``, is given from the status.
    """

    needed: NeedHistory | None = None  # None: no pool of several workers has been seen
    pressure: Pressure | None = None  # None: no worker has been ready since it slept
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
    facts = Facts(bounds, pool, load, counters, now)
    flapping = _flapping(facts, memory)
    pressure = _pressure(facts.staying, memory.pressure)
    needed = _needed(facts.staying, memory.needed, pressure)
    extension = flapping.extended - bounds.idle_timeout
    obeyed = replace(bounds, idle_extension=extension) if extension else bounds
    wake, staying = memory.wake.seen(pool.replicas, now), facts.staying
    asked = wanted(staying, pressure or first_pressure(staying))
    heard = wake.counted(load, obeyed.idle_after, now)
    found = decide_scale(obeyed, replace(pool, needed=needed, wanted=asked), heard, now, counters)
    decision = _told(found, staying, flapping, pressure)
    asleep_since, wake = _asleep_since(facts, decision, memory), wake.decided(decision.replicas)
    return decision, Memory(needed, pressure, flapping.wakes, asleep_since, wake)


def _told(found: ScaleDecision, facts: Facts, flapping: Flapping, pressure: Pressure | None) -> ScaleDecision:
    """With what is told beside it, and looked at again soon where a mean alone may change it."""
    if facts.bounds.suspended or facts.bounds.external is not None:
        return found
    again = found.recheck_after
    return replace(
        found,
        recheck_after=min(again or LOOK, LOOK) if _moves(facts, pressure) else again,
        needed=facts.bounds.metric.workers(facts.load),
        flapping=flapping if flapping.wakes else None,
    )


def _pressure(facts: Facts, before: Pressure | None) -> Pressure | None:
    """It begins with the first ready worker: what waited for that one says nothing of the next minute."""
    if not facts.pool.ready:
        return None
    return before.then(facts) if before else first_pressure(facts)


def _needed(facts: Facts, before: NeedHistory | None, pressure: Pressure | None) -> NeedHistory | None:
    """Only a pool of several workers can have surplus; a single one is asleep or awake. What others decide on
    is not looked at: once it is ours to decide, all that they leave are needed until then."""
    replicas, delay = facts.pool.replicas, facts.bounds.scale_down_delay
    if replicas <= 1 or facts.bounds.external is not None:
        return None
    return (before or NeedHistory(replicas)).then(_kept(facts, pressure), facts.now, delay)


def _kept(facts: Facts, pressure: Pressure | None) -> int:
    """By the mean of the last minute too, where a start's length is known: a peak that would not have started
    a worker keeps none either. By what is there now too: what has gone is gone in one step."""
    bounds, load, known = facts.bounds, facts.load, 0.0
    kept = kept_for(bounds, facts.pool, load)
    if pressure and not load.silent and facts.pool.start_seconds is not None:
        known = pressure.history.known(facts.now, STABLE)
    if pressure is None or known <= 0:
        return kept
    mean = pressure.history.mean(facts.now, known)._replace(execution_seconds=load.execution_seconds)
    return min(kept, bounds.metric.workers(mean, HEADROOM))


def _moves(facts: Facts, pressure: Pressure | None) -> bool:
    """Whether a mean may soon ask for more without any news."""
    bounds, pool = facts.bounds, facts.pool
    if pressure is None or pool.start_seconds is None:
        return False
    return min(bounds.maximum, bounds.metric.workers(facts.load)) > pool.replicas


def _flapping(facts: Facts, memory: Memory) -> Flapping:
    """A sleep counts when a request has ended it; its end is the creation of the first worker."""
    bounds, pool, since = facts.bounds, facts.pool, memory.asleep_since
    found = Flapping(memory.wakes, pool.start_seconds, bounds.idle_timeout, bounds.longest_idle_timeout)
    if since is None or pool.replicas == 0 or not _asked_for(facts, since):
        return found
    woken = pool.oldest if since <= pool.oldest <= facts.now else facts.now
    return replace(found, wakes=found.after(woken - since))


def _asked_for(facts: Facts, since: float) -> bool:
    """Whether a request ended the sleep. A Deployment tells of its wake before a gateway tells of the
    request; where nothing in the spec keeps a worker, only a request makes a first one."""
    load, oldest = facts.load, facts.pool.oldest
    fresh = oldest == 0 or oldest >= since  # older: the worker that is about to be put to sleep
    woken = facts.bounds.least == 0 and fresh
    return woken or load.depth > 0 or (load.last_activity or 0.0) >= since


def _asleep_since(facts: Facts, decision: ScaleDecision, memory: Memory) -> float | None:
    if facts.pool.replicas == 0:
        return memory.asleep_since
    return facts.now if decision.replicas == 0 and decision.reason == "Idle" else None
