"""A HorizontalPodAutoscaler on concurrency."""

from __future__ import annotations

from tidegate.simulation.policies.horizontal import SYNC_SECONDS, HorizontalRule
from tidegate.simulation.scene import Ask, Scene


class Hpa:
    """The HorizontalPodAutoscaler on the requests that wait or run, ``target`` for each worker.

    It cannot go to zero: at a scale of 0 it is off, so its minimum is 1. It reads the metric as it is at that
    moment; a real one is as old as the last scrape.
    """

    hears = False

    def __init__(self, target: float, maximum: int, minimum: int = 1) -> None:
        self.name = "HPA"
        self.initial = minimum
        self._rule = HorizontalRule(target, minimum, maximum)

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler."""
        return Ask(self._rule.sync(scene.now, scene.replicas, scene.depth), SYNC_SECONDS)

    def wake(self, scene: Scene) -> int:
        """It never has none."""
        return scene.replicas
