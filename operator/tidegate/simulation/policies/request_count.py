"""The count of requests at this moment, as a provider of serverless workers scales by it.

https://docs.runpod.io/serverless/endpoints/endpoint-configurations: with the type request count there are as
many workers as the requests that wait or run, over the scaler value, rounded up, within a minimum and a
maximum.
"""

from __future__ import annotations

from typing import Final

from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.surplus import NeedHistory
from tidegate.simulation.scene import Ask, Scene

LOOK_SECONDS: Final = 1.0


class RequestCount:
    """``scaler_value`` requests for each worker: more at once, fewer when fewer were enough for ``delay``
    seconds."""

    hears = True

    def __init__(self, scaler_value: int, minimum: int, maximum: int, delay: float) -> None:
        self.name = f"request count, scaler value {scaler_value}"
        self.initial = minimum
        self._metric = PerReplica(scaler_value)
        self._minimum, self._maximum, self._delay = minimum, maximum, delay
        self._needed = NeedHistory(minimum)

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler."""
        wanted = self._metric.workers(scene.reported)
        needed = max(self._minimum, min(self._maximum, wanted))
        self._needed = self._needed.then(needed, scene.now, self._delay)
        return Ask(self._needed.highest, LOOK_SECONDS)

    def wake(self, scene: Scene) -> int:
        """The first request starts one."""
        return max(1, scene.replicas)
