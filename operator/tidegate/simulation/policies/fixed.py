"""A number that does not change."""

from __future__ import annotations

from tidegate.simulation.scene import Ask, Scene


class AlwaysOn:
    """``count`` workers, from the first moment on."""

    hears = False

    def __init__(self, count: int, name: str = "always on") -> None:
        self.name = name
        self.initial = count

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler."""
        del scene
        return Ask(self.initial)

    def wake(self, scene: Scene) -> int:
        """It never has none."""
        del scene
        return self.initial
