"""How many workers there should be: a pure decision, with the time as an argument.

Waking 0→1 is the gateway's; everything else is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scale_facts import Counters, Facts, Load, Pool, ScaleDecision, Wanted
from tidegate.domain.scaling_metrics import HEADROOM

__all__ = ["REJECTED", "Bounds", "Counters", "Load", "Pool", "ScaleDecision", "decide_scale", "kept_for"]

REJECTED = "Rejected"
SAID_BY_THE_SPEC = frozenset({"External", "Suspended", "MaxReplicas"})  # reasons: whatever the load is
COUNTERS_INTERVAL = 5.0  # seconds between two looks at the workers' counters while they decide
CLOCK_INTERVAL = 3600.0  # seconds; the machine's clock may be set, and schedules go by it


def kept_for(bounds: Bounds, pool: Pool, load: Load) -> int:
    """The workers for which a load is reason enough to keep them: what NeedHistory is made of.

    That is a tenth more than the load needs, and all that there are while a gateway is not heard.
    """
    needed = bounds.metric.workers(load.staying, HEADROOM)
    return pool.replicas if load.silent else min(bounds.maximum, needed)


def decide_scale(
    bounds: Bounds, pool: Pool, load: Load, now: float, counters: Counters | None = None
) -> ScaleDecision:
    """The number of workers for these facts; ``counters`` None where they have not been asked."""
    facts = Facts(bounds, pool, load, counters, now)
    decisions = (policy(facts) for policy in _POLICIES)
    found = next((each for each in decisions if each), None) or facts.stay("Steady", "as many as are needed")
    return replace(found, recheck_after=_earliest(found.recheck_after, *_edges(facts)))


def _edges(facts: Facts) -> tuple[float | None, ...]:
    """When the same facts may come to another decision: a schedule's next edge, the end of surplus."""
    bounds = facts.bounds
    if bounds.suspended or bounds.external is not None:
        return ()
    edge = None if bounds.scheduled.until is None else bounds.scheduled.until - facts.now
    return (None if edge is None else min(edge, CLOCK_INTERVAL), _surplus_after(facts))


def _earliest(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None and delay > 0), default=None)


def _suspended(facts: Facts) -> ScaleDecision | None:
    return ScaleDecision(0, "Suspended", "spec.suspend is true") if facts.bounds.suspended else None


def _rejected(facts: Facts) -> ScaleDecision | None:
    """No more are made than run, so that the ReplicaSet has none to replace."""
    rest = facts.pool.rejected_until - facts.now
    if rest <= 0:
        return None
    count = min(facts.pool.replicas, facts.pool.running)
    return ScaleDecision(count, REJECTED, "a kubelet rejects the workers", rest)


def _external(facts: Facts) -> ScaleDecision | None:
    count = facts.bounds.external
    return None if count is None else ScaleDecision(count, "External", f"spec.replicas is {count}")


def _within_bounds(facts: Facts) -> ScaleDecision | None:
    bounds = facts.bounds
    if facts.pool.replicas < bounds.least:
        return ScaleDecision(max(bounds.least, _needed(facts)), *bounds.why_least)
    if facts.pool.replicas > bounds.maximum:
        return ScaleDecision(bounds.maximum, "MaxReplicas", f"scaling.maxReplicas is {bounds.maximum}")
    return None


def _asleep(facts: Facts) -> ScaleDecision | None:
    return facts.stay("Idle", "the next request wakes it") if facts.pool.replicas == 0 else None


def _demand(facts: Facts) -> ScaleDecision | None:
    """Raises at once."""
    asked = facts.pool.wanted or Wanted(_needed(facts), "Instant", facts.load.staying)
    count = min(facts.bounds.maximum, asked.workers)
    if count <= facts.pool.replicas:
        return None
    why = _OVER[asked.window].format(facts.bounds.metric.says(asked.demand))
    more = f", and scaling.maxReplicas is {count}" if asked.workers > count else ""
    text = f"{why}: {asked.workers} are needed{more}"
    return ScaleDecision(count, "Demand", text, window=asked.window)


_OVER = {
    "Instant": "{}",
    "Backlog": "{}; what waits would take longer than a start",
    "Panic": "{}, and requests have waited for long enough not to be a passing spike",
    "Stable": "on average of the last minute {}",
}


def _needed(facts: Facts) -> int:
    return min(facts.bounds.maximum, facts.bounds.metric.workers(facts.load.staying))


def _surplus(facts: Facts) -> ScaleDecision | None:
    """Down to what was enough for the whole delay, in one step. One worker stays in any case: sleep is the
    idle timeout's business, and the workers' counters have the last word on it."""
    history, delay = facts.pool.needed, facts.bounds.scale_down_delay
    idle = facts.load.depth == 0 and _awake_for(facts) <= 0
    if history is None or facts.pool.loading or idle or _unsettled(facts) > 0:
        return None
    enough = max(facts.bounds.least, history.highest, _needed(facts), 1)
    if enough >= facts.pool.replicas:
        return None
    were = "1 worker was" if enough == 1 else f"{enough} workers were"
    text = f"{were} enough for {delay:g} s (scaling.scaleDownDelaySeconds)"
    return ScaleDecision(enough, "Surplus", text)


def _unsettled(facts: Facts) -> float:
    """Seconds that the newest ready worker still has before anything is surplus; at most 0: none."""
    return (facts.pool.ready_since or 0.0) + facts.bounds.scale_down_delay - facts.now


def _surplus_after(facts: Facts) -> float | None:
    """Seconds until there may be surplus; None: none while the load stays as it is, or there is already."""
    history, replicas = facts.pool.needed, facts.pool.replicas
    if history is None or max(facts.bounds.least, history.current, 1) >= replicas:
        return None
    return _earliest(history.falls_after(facts.now, facts.bounds.scale_down_delay), _unsettled(facts))


def _in_use(facts: Facts) -> ScaleDecision | None:
    depth = facts.load.depth
    return facts.stay("Demand", f"{depth} requests wait or run") if depth else None


def _at_minimum(facts: Facts) -> ScaleDecision | None:
    at_minimum = facts.pool.replicas <= facts.bounds.least
    return facts.stay(*facts.bounds.why_least) if at_minimum else None


def _loading(facts: Facts) -> ScaleDecision | None:
    return facts.stay("Loading", "a worker still loads") if facts.pool.loading else None


def _not_idle_long_enough(facts: Facts) -> ScaleDecision | None:
    remaining = _awake_for(facts)
    return facts.stay("Recent", "idle, but not for long enough", remaining) if remaining > 0 else None


def _counters(facts: Facts) -> ScaleDecision | None:
    """The last word before sleep: somebody may have come round the gateway, or a gateway is not heard."""
    if not facts.pool.ready:
        return None
    if facts.counters is None:
        return ScaleDecision(facts.pool.replicas, "Asking", "asking the workers' counters", ask_counters=True)
    if facts.counters.busy:
        return facts.stay("Busy", "a worker's own counters show requests", COUNTERS_INTERVAL)
    if facts.load.silent and not facts.counters.complete:
        return facts.stay("Unheard", "neither the gateway nor every worker can be asked", COUNTERS_INTERVAL)
    # Counters show the moment they are asked: where they alone decide, the clock starts at the first look.
    since = facts.counters.last_busy or (facts.counters.first_asked if facts.load.silent else 0.0)
    remaining = min(since + facts.bounds.idle_after - facts.now, COUNTERS_INTERVAL)
    return facts.stay("Recent", "idle, but not for long enough", remaining) if remaining > 0 else None


def _sleep(facts: Facts) -> ScaleDecision | None:
    if facts.pool.ready:
        return ScaleDecision(facts.bounds.least, "Idle", f"idle for {facts.bounds.why_idle}")
    text = f"nobody waits, and no worker became ready within {facts.bounds.why_idle}"
    return ScaleDecision(facts.bounds.least, "NotStarting", text)


def _awake_for(facts: Facts) -> float:
    """Seconds until it has been idle for the idle timeout if nothing comes; at most 0: it has."""
    begun = facts.pool.ready_since if facts.pool.ready else facts.pool.trying_since
    idle_since = max(begun or 0.0, facts.load.last_activity or 0.0)
    return idle_since + facts.bounds.idle_after - facts.now


_POLICIES: tuple[Callable[[Facts], ScaleDecision | None], ...] = (
    _suspended,
    _rejected,
    _external,
    _within_bounds,
    _asleep,
    _demand,
    _surplus,
    _in_use,
    _at_minimum,
    _loading,
    _not_idle_long_enough,
    _counters,
    _sleep,
)
