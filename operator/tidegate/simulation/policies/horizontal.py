"""The HorizontalPodAutoscaler's rule (autoscaling/v2), as its documentation describes it.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/: the controller looks every 15 s;
it leaves the number as it is while the ratio of metric and target is within 0.1 of 1; else it wants the
metric over the target, rounded up. By default it grows at once, by 100 % or 4 pods in 15 s, whichever is
more, and takes the largest of what it wanted in the last 300 s before it shrinks.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

SYNC_SECONDS: Final = 15.0
TOLERANCE: Final = 0.1
STABILIZATION_SECONDS: Final = 300.0
GROWTH_FACTOR: Final = 2
GROWTH_PODS: Final = 4


@dataclass(slots=True)
class HorizontalRule:
    """One autoscaler with a metric of type AverageValue: ``target`` of it for each pod."""

    target: float
    minimum: int
    maximum: int
    _wanted: deque[tuple[float, int]] = field(default_factory=deque)

    def sync(self, now: float, replicas: int, total: float) -> int:
        """The number of pods after one look, where ``replicas`` are asked for and the metric is ``total``."""
        wanted = self._bounded(self._want(replicas, total))
        if not self._wanted:
            self._wanted.append((now, replicas))
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - STABILIZATION_SECONDS:
            self._wanted.popleft()
        if wanted > replicas:
            return min(wanted, self._bounded(max(GROWTH_FACTOR * replicas, replicas + GROWTH_PODS)))
        return min(replicas, max(number for _, number in self._wanted))

    def _want(self, replicas: int, total: float) -> int:
        ratio = total / (self.target * replicas)
        return replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(total / self.target)

    def _bounded(self, count: int) -> int:
        return max(self.minimum, min(self.maximum, count))
