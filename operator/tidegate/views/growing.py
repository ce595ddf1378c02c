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
    """How many requests it takes, found by asking the metric about more and more of them."""
    pool, most = facts.pool, words.count(bounds.maximum, "worker")
    if pool.replicas >= bounds.maximum:
        yield f"No more are started: scaling.maxReplicas is {bounds.maximum}.", None
    elif isinstance(bounds.metric, QueueDelay):
        target = f"{bounds.metric.target:g} s (scaling.metric.queueDelay)"
        yield f"More are started, {most} at most, when a request would wait for longer than {target}.", None
    elif requests := _enough_for_more(bounds, pool.replicas):
        now, _ = decide(bounds, pool, Load(in_flight=requests), facts.now, facts.memory)
        spike = "" if now.replicas > pool.replicas else " for longer than a passing spike"
        yield f"One more is started when {requests} requests wait or run{spike}; {most} at most.", None


def _enough_for_more(bounds: Bounds, replicas: int) -> int | None:
    """The smallest number of requests for which the metric asks for more workers; None: no number is."""
    asks = range(_MOST_REQUESTS)
    found = bisect_left(
        asks, replicas + 1, key=lambda requests: bounds.metric.workers(Load(in_flight=requests))
    )
    return found if found < _MOST_REQUESTS else None
