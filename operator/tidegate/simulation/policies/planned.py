"""A plan that is carried out."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.simulation.scene import Ask, Scene


class Planned:
    """From each time of ``steps`` on so many workers are asked for; times ascend, in seconds. What is asked
    for at time 0 or before is ready then."""

    hears = False

    def __init__(self, steps: Sequence[tuple[float, int]], name: str = "clairvoyant plan") -> None:
        self.name = name
        self.initial = max((count for time, count in steps if time <= 0), default=0)
        self._steps = [(0.0, self.initial), *((time, count) for time, count in steps if time > 0)]
        self._place = 0

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler."""
        while self._place + 1 < len(self._steps) and self._steps[self._place + 1][0] <= scene.now:
            self._place += 1
        later = self._steps[self._place + 1][0] if self._place + 1 < len(self._steps) else None
        return Ask(self._steps[self._place][1], None if later is None else later - scene.now)

    def wake(self, scene: Scene) -> int:
        """Nothing beside the plan."""
        return scene.replicas
