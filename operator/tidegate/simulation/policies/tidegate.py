"""The operator's own decision."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Pool, ScaleDecision
from tidegate.simulation.scene import Ask, Scene


class Tidegate:
    """``decide`` of the operator, look after look; ``bounds``: what the spec says at a time in seconds."""

    hears = True

    def __init__(self, bounds: Callable[[float], Bounds], name: str = "tidegate") -> None:
        self.name = name
        self.initial = bounds(0.0).least
        self._bounds = bounds
        self._memory = Memory()

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler. Where the workers' counters have the last word, they show what is there: nobody
        comes round the gateway here."""
        decision = self._decide(scene, None)
        if decision.ask_counters:
            decision = self._decide(scene, Counters(scene.depth > 0, first_asked=scene.now))
        return Ask(decision.replicas, decision.recheck_after)

    def wake(self, scene: Scene) -> int:
        """The gateway wakes by itself, with one; the operator raises it by the next report."""
        bounds = self._bounds(scene.now)
        return 0 if bounds.suspended or bounds.external is not None else 1

    def _decide(self, scene: Scene, counters: Counters | None) -> ScaleDecision:
        bounds, load = self._bounds(scene.now), scene.reported
        decision, self._memory = decide(bounds, _pool(scene), load, scene.now, self._memory, counters)
        return decision


def _pool(scene: Scene) -> Pool:
    return Pool(
        replicas=scene.replicas,
        ready=scene.ready,
        loading=scene.starting > 0,
        ready_since=scene.newest_ready,
        trying_since=scene.newest_start or 0.0,
        running=scene.ready,
        oldest=scene.oldest,
        start_seconds=scene.start_seconds,
    )
