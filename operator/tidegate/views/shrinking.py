"""When workers stop: surplus, and sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from tidegate.domain.autoscaler import decide
from tidegate.domain.forecast import Change, next_change
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling_metrics import QueueDelay
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Expected

BoundsAt = Callable[[float], Bounds]
Said = tuple[str, Expected | None]

_STAYS: Final = {
    "MinReplicas": "It does not go to sleep: scaling.minReplicas keeps {least}.",
    "Schedule": "It does not go to sleep while the schedule lasts, which keeps {least}.",
    "Loading": "It does not go to sleep while a worker starts.",
}


def shrink(facts: Facts, bounds_at: BoundsAt) -> Iterator[Said]:
    """The next decrease, where the load stays as it is."""
    if facts.depth and isinstance(bounds_at(facts.now).metric, QueueDelay) and facts.seen.load is None:
        yield "Whether fewer would be enough depends on how many wait: --ask-gateways tells.", None
        return
    change = _change(facts, bounds_at, latest=True)
    if change is None:
        yield from _stays(facts, bounds_at(facts.now))
    elif change.decision.replicas > facts.pool.replicas:
        yield from _rises(facts, change)
    elif change.decision.reason == "Surplus":
        yield _surplus(facts, change, bounds_at(facts.now).scale_down_delay)
    else:
        yield _sleep(facts, bounds_at, change)


def _change(facts: Facts, bounds_at: BoundsAt, *, latest: bool) -> Change | None:
    """``latest``: a request may have ended just now; else none ever did. Told by the gateways, both are one.

    For how long fewer workers have been enough no status remembers: what comes out is the latest time.
    """
    load = facts.load
    if latest and load.last_activity is None and facts.seen.load is None:
        load = replace(load, last_activity=facts.now)
    return next_change(bounds_at, facts.pool, load, facts.now, facts.memory)


def _stays(facts: Facts, bounds: Bounds) -> Iterator[Said]:
    decision, _ = decide(bounds, facts.pool, facts.load, facts.now, facts.memory)
    least = words.count(bounds.least, "worker")
    if decision.reason in _STAYS:
        yield _STAYS[decision.reason].format(least=least), None
    elif facts.load.depth:
        yield (
            f"It stays awake while requests wait or run, and for {_idle(facts, bounds)} after the last.",
            None,
        )


def _rises(facts: Facts, change: Change) -> Iterator[Said]:
    """A schedule's beginning is told with the schedule."""
    more, why = change.decision.replicas, change.decision.message
    if change.at > facts.now and change.decision.reason != "Demand":
        return
    when = f"{words.at(change.at, facts.now)} at the latest" if change.at > facts.now else "at this moment"
    text = f"If the load stays as it is, the number is raised to {more} {when}: {why}."
    yield text, Expected("ScaleUp", more, facts.now, change.at)


def _surplus(facts: Facts, change: Change, delay: float) -> Said:
    left = change.decision.replicas
    enough, goes = words.count(left, "worker"), words.count(facts.pool.replicas - left, "worker")
    waited = f"once that has been so for {delay:g} s (scaling.scaleDownDelaySeconds)"
    text = f"{enough} would be enough for the load that there is now: {goes} will stop {waited}"
    return f"{text}, {words.at(change.at, facts.now)} at the latest.", Expected(
        "Surplus", left, None, change.at
    )


def _sleep(facts: Facts, bounds_at: BoundsAt, latest: Change) -> Said:
    left, now = latest.decision.replicas, facts.now
    earliest = _change(facts, bounds_at, latest=False) if facts.pods_known else None
    goes = "goes to sleep" if left == 0 else f"goes down to {words.count(left, 'worker')}"
    start = earliest.at if earliest and earliest.at <= latest.at else None
    expected = Expected("Sleep" if left == 0 else "ScaleDown", left, start, latest.at)
    if start == latest.at:
        return f"If nothing comes it {goes} {words.at(latest.at, now)}: {latest.decision.message}.", expected
    text = f"It {goes} {_idle(facts, bounds_at(now))} after its last request ended"
    text += f": if nothing more comes, {words.at(latest.at, now)} at the latest"
    text += f", and not before {words.clock(start, now)}" if start is not None and start > now + 1 else ""
    return f"{text}. When the last request ended only the gateways know (--ask-gateways).", expected


def _idle(facts: Facts, bounds: Bounds) -> str:
    decision, _ = decide(bounds, facts.pool, facts.load, facts.now, facts.memory)
    extended = decision.flapping.extended if decision.flapping else bounds.idle_timeout
    return replace(bounds, idle_extension=extended - bounds.idle_timeout).why_idle
