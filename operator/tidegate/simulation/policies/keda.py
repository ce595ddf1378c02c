"""KEDA's scalers: a queue (or Prometheus) and cron.

https://keda.sh/docs/latest/reference/scaledobject-spec/: a trigger is looked at every ``pollingInterval`` (30
s); from 0 to 1 and back KEDA scales by itself, to 0 when the last active look is ``cooldownPeriod`` (300 s)
ago; between 1 and the maximum a HorizontalPodAutoscaler does, with the metric fresh at each of its looks
(``useCachedMetrics`` is false). https://keda.sh/docs/latest/scalers/cron/: within its window the cron trigger
is active and asks for ``desiredReplicas``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.simulation.policies.horizontal import SYNC_SECONDS, HorizontalRule
from tidegate.simulation.scene import Ask, Scene

POLLING_SECONDS: Final = 30.0
COOLDOWN_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class CronWindow:
    """``replicas`` between two times of a trace, in seconds."""

    begin: float
    end: float
    replicas: int


class Keda:
    """A ScaledObject with one trigger: its metric, and ``target`` of it for each worker. The trigger is
    active while its metric is above 0 (``activationThreshold``)."""

    hears = False

    def __init__(self, name: str, metric: Callable[[Scene], float], target: float, maximum: int) -> None:
        self.name = name
        self.initial = 0
        self._metric = metric
        self._rule = HorizontalRule(target, 1, maximum)
        self._poll_at = 0.0
        self._last_active = 0.0

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler. Every second look of the HorizontalPodAutoscaler falls on a poll."""
        metric, replicas = self._metric(scene), scene.replicas
        if scene.now >= self._poll_at:
            self._poll_at = scene.now + POLLING_SECONDS
            replicas = self._poll(scene.now, replicas, metric)
        if replicas and scene.replicas:
            replicas = self._rule.sync(scene.now, replicas, metric)
        return Ask(replicas, SYNC_SECONDS)

    def wake(self, scene: Scene) -> int:
        """A request is seen at the next poll."""
        return scene.replicas

    def _poll(self, now: float, replicas: int, metric: float) -> int:
        if metric > 0:
            self._last_active = now
            return max(replicas, 1)
        return 0 if now - self._last_active >= COOLDOWN_SECONDS else replicas


def keda_queue(target: float, maximum: int) -> Keda:
    """The Prometheus scaler on the requests that wait or run."""
    return Keda("KEDA queue", lambda scene: float(scene.depth), target, maximum)


def keda_cron(windows: Sequence[CronWindow], maximum: int) -> Keda:
    """The cron scaler."""
    return Keda("KEDA cron", lambda scene: float(_asked(windows, scene.now)), 1.0, maximum)


def _asked(windows: Sequence[CronWindow], now: float) -> int:
    return max((each.replicas for each in windows if each.begin <= now < each.end), default=0)
