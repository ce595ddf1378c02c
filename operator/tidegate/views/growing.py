"""When more workers are started."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from tidegate.domain.autoscaler import decide
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Load
from tidegate.domain.scaling_metrics import QueueDelay
from tidegate.views import words
from tidegate.views.seen import Facts
from tidegate.views.topic import Expected

_MOST_REQUESTS: Final = 1 << 20  # more than any queue holds


def growth(facts: Facts, bounds: Bounds) -> Iterator[tuple[str, Expected | None]]:
    """How many requests it takes, found by asking the decision about more and more of them."""
    pool, most = facts.pool, words.count(bounds.maximum, "worker")
    if pool.replicas >= bounds.maximum:
        yield f"No more are started: scaling.maxReplicas is {bounds.maximum}.", None
    elif isinstance(bounds.metric, QueueDelay):
        target = f"{bounds.metric.target:g} s (scaling.metric.queueDelay)"
        yield f"More are started, {most} at most, when a request would wait for longer than {target}.", None
    elif (requests := _enough_for_more(facts, bounds)) is not None:
        yield f"One more is started when {requests} requests wait or run; {most} at most.", None


def _enough_for_more(facts: Facts, bounds: Bounds) -> int | None:
    """The smallest number of requests for which more workers are wanted; None: no number is."""

    def raised(requests: int) -> bool:
        load = Load(in_flight=requests)
        decision, _ = decide(bounds, facts.pool, load, facts.now, facts.memory)
        return decision.replicas > facts.pool.replicas

    found = bisect_left(range(_MOST_REQUESTS), True, key=raised)
    return found if found < _MOST_REQUESTS else None
