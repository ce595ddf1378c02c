"""How many workers there should be: a pure decision, with the time as an argument.

Waking 0→1 is the gateway's; everything else is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

REJECTED = "Rejected"
COUNTERS_INTERVAL = 5.0  # seconds between two looks at the workers' counters while they decide


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the spec says about the number of workers; seconds, and requests per worker."""

    minimum: int = 0
    maximum: int = 1
    idle_timeout: float = 180.0
    target_concurrency: int = 24  # in flight + waiting that one worker should carry
    suspended: bool = False
    external: int | None = None  # the number that others set; None in mode Managed


@dataclass(frozen=True, slots=True)
class Load:
    """The gateways' demand, summed. ``silent``: not every gateway is heard, so this may be too little."""

    waiting: int = 0
    in_flight: int = 0
    last_activity: float | None = None  # Unix time of the latest arrival or end; None: none is known
    silent: bool = False

    @property
    def depth(self) -> int:
        """Waiting + in flight."""
        return self.waiting + self.in_flight


@dataclass(frozen=True, slots=True)
class Counters:
    """What the workers' own counters tell; times are Unix seconds."""

    busy: bool
    first_asked: float  # since when these workers' counters are looked at
    last_busy: float | None = None  # the last look that showed work; None: none did
    complete: bool = True  # every ready worker answered


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers as they are."""

    replicas: int  # what the Deployment is told
    ready: int = 0
    loading: bool = False  # one is on its way, with nothing wrong
    ready_since: float | None = None  # of the worker that became ready last
    trying_since: float = 0.0  # creation of the newest worker that is not ready
    running: int = 0  # whose engine runs, ready or not
    rejected_until: float = 0.0  # kubelets have refused the last ones: nobody is started before this time


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """``ask_counters``: sleep is due, decide again with the workers' counters, which have the last word."""

    replicas: int
    reason: str
    message: str
    recheck_after: float | None = None  # seconds; None: only when a fact changes
    ask_counters: bool = False


@dataclass(frozen=True, slots=True)
class _Facts:
    bounds: Bounds
    pool: Pool
    load: Load
    counters: Counters | None
    now: float

    def stay(self, reason: str, message: str, recheck_after: float | None = None) -> ScaleDecision:
        return ScaleDecision(self.pool.replicas, reason, message, recheck_after)


def decide_scale(
    bounds: Bounds, pool: Pool, load: Load, now: float, counters: Counters | None = None
) -> ScaleDecision:
    """The number of workers for these facts; ``counters`` None where they have not been asked."""
    facts = _Facts(bounds, pool, load, counters, now)
    decisions = (policy(facts) for policy in _POLICIES)
    return next((each for each in decisions if each), None) or facts.stay("Steady", "as many as are needed")


def _suspended(facts: _Facts) -> ScaleDecision | None:
    return ScaleDecision(0, "Suspended", "suspend is true") if facts.bounds.suspended else None


def _rejected(facts: _Facts) -> ScaleDecision | None:
    """No more are made than run, so that the ReplicaSet has none to replace."""
    rest = facts.pool.rejected_until - facts.now
    if rest <= 0:
        return None
    count = min(facts.pool.replicas, facts.pool.running)
    return ScaleDecision(count, REJECTED, "a kubelet rejects the workers", rest)


def _external(facts: _Facts) -> ScaleDecision | None:
    count = facts.bounds.external
    return None if count is None else ScaleDecision(count, "External", "spec.replicas says so")


def _within_bounds(facts: _Facts) -> ScaleDecision | None:
    bounds = facts.bounds
    if facts.pool.replicas < bounds.minimum:
        return ScaleDecision(max(bounds.minimum, _needed(facts)), "MinReplicas", "scaling.minReplicas")
    if facts.pool.replicas > bounds.maximum:
        return ScaleDecision(bounds.maximum, "MaxReplicas", "scaling.maxReplicas")
    return None


def _asleep(facts: _Facts) -> ScaleDecision | None:
    return facts.stay("Idle", "the next request wakes it") if facts.pool.replicas == 0 else None


def _demand(facts: _Facts) -> ScaleDecision | None:
    """Raises at once; 100 waiting and in flight at 24 a worker need 5 workers (4.2 rounded up)."""
    depth = facts.load.depth
    if depth == 0:
        return None
    replicas = max(facts.pool.replicas, _needed(facts))
    return ScaleDecision(replicas, "Demand", f"{depth} requests wait or run")


def _needed(facts: _Facts) -> int:
    return min(facts.bounds.maximum, math.ceil(facts.load.depth / facts.bounds.target_concurrency))


def _at_minimum(facts: _Facts) -> ScaleDecision | None:
    at_minimum = facts.pool.replicas <= facts.bounds.minimum
    return facts.stay("Steady", "scaling.minReplicas") if at_minimum else None


def _loading(facts: _Facts) -> ScaleDecision | None:
    return facts.stay("Loading", "a worker still loads") if facts.pool.loading else None


def _not_idle_long_enough(facts: _Facts) -> ScaleDecision | None:
    remaining = _idle_since(facts) + facts.bounds.idle_timeout - facts.now
    return facts.stay("Recent", "idle, but not for long enough", remaining) if remaining > 0 else None


def _counters(facts: _Facts) -> ScaleDecision | None:
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
    remaining = min(since + facts.bounds.idle_timeout - facts.now, COUNTERS_INTERVAL)
    return facts.stay("Recent", "idle, but not for long enough", remaining) if remaining > 0 else None


def _sleep(facts: _Facts) -> ScaleDecision | None:
    reason, why = ("Idle", "idle for") if facts.pool.ready else ("NotStarting", "nobody waits, no start for")
    text = f"{why} {facts.bounds.idle_timeout:g} s (scaling.idleTimeoutSeconds)"
    return ScaleDecision(facts.bounds.minimum, reason, text)


def _idle_since(facts: _Facts) -> float:
    begun = facts.pool.ready_since if facts.pool.ready else facts.pool.trying_since
    return max(begun or 0.0, facts.load.last_activity or 0.0)


_POLICIES: tuple[Callable[[_Facts], ScaleDecision | None], ...] = (
    _suspended,
    _rejected,
    _external,
    _within_bounds,
    _asleep,
    _demand,
    _at_minimum,
    _loading,
    _not_idle_long_enough,
    _counters,
    _sleep,
)
