"""Knative's pod autoscaler (KPA) on concurrency, as its documentation describes it, with its defaults.

https://knative.dev/docs/serving/autoscaling/kpa-specific/ and scale-to-zero/: every 2 s it divides the
average concurrency of the stable window (60 s) by the target (70 % of containerConcurrency). Where the
average of the panic window (a tenth of it) asks for twice as many pods as are ready, it goes by that one and
does not shrink, until for a stable window that was not so. One step changes the ready pods at most by the
factors 1000 up and 2 down. The last pod goes after a stable window without a request. Its activator holds
requests at zero, and pokes the autoscaler at once.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from tidegate.simulation.scene import Ask, Scene

TICK_SECONDS: Final = 2.0
STABLE_SECONDS: Final = 60.0
PANIC_SECONDS: Final = 6.0
PANIC_THRESHOLD: Final = 2.0
UTILIZATION: Final = 0.7
MAX_SCALE_UP: Final = 1000.0
MAX_SCALE_DOWN: Final = 2.0


class Knative:
    """The KPA for workers of ``slots`` (containerConcurrency).

    ``grace``: seconds that the last pod stays while the activator takes over; the documented 30 s are an
    upper bound of that, and here nothing is to be waited for.
    """

    hears = False

    def __init__(self, slots: int, maximum: int, grace: float = 0.0) -> None:
        self.name = "Knative KPA"
        self.initial = 0
        self._target = slots * UTILIZATION
        self._maximum = maximum
        self._grace = grace
        self._seen: deque[tuple[float, float]] = deque()  # time, and the integral of concurrency up to it
        self._panic_since: float | None = None
        self._panic_pods = 0
        self._unneeded_since: float | None = None

    def look(self, scene: Scene) -> Ask:
        """See Autoscaler. It begins in panic where more than one pod is ready, so that the missing past does
        not make it shrink."""
        if not self._seen:
            self._seen.append((scene.now, scene.depth_seconds))
            self._panic_since, self._panic_pods = (scene.now, scene.ready) if scene.ready > 1 else (None, 0)
            return Ask(scene.replicas, TICK_SECONDS)
        self._seen.append((scene.now, scene.depth_seconds))
        while len(self._seen) > 1 and self._seen[1][0] <= scene.now - STABLE_SECONDS:
            self._seen.popleft()
        stable, panic = self._average(scene, STABLE_SECONDS), self._average(scene, PANIC_SECONDS)
        wanted = min(self._maximum, self.scale(scene.now, scene.ready, stable, panic))
        return Ask(self._last_pod(scene, wanted), TICK_SECONDS)

    def wake(self, scene: Scene) -> int:
        """The activator's report counts as a concurrency of the requests that it holds."""
        self._unneeded_since = None
        return min(self._maximum, self.scale(scene.now, scene.ready, scene.depth, scene.depth))

    def scale(self, now: float, ready: int, stable: float, panic: float) -> int:
        """The pods for these average concurrencies."""
        pods = max(1, ready)
        most, least = math.ceil(MAX_SCALE_UP * pods), math.floor(pods / MAX_SCALE_DOWN)
        by_stable, by_panic = math.ceil(stable / self._target), math.ceil(panic / self._target)
        wanted = min(max(by_stable, least), most)
        self._feel(now, by_panic / pods >= PANIC_THRESHOLD)
        if self._panic_since is None:
            return wanted
        self._panic_pods = max(self._panic_pods, wanted, min(max(by_panic, least), most))
        return self._panic_pods

    def _feel(self, now: float, over: bool) -> None:
        if over:
            self._panic_since = now
        elif self._panic_since is not None and self._panic_since + STABLE_SECONDS < now:
            self._panic_since, self._panic_pods = None, 0

    def _average(self, scene: Scene, window: float) -> float:
        """Of the window, or of what has passed of it."""
        begin = scene.now - window
        time, integral = next(pair for pair in self._seen if pair[0] >= begin)
        passed = scene.now - time
        return (scene.depth_seconds - integral) / passed if passed > 0 else float(scene.depth)

    def _last_pod(self, scene: Scene, wanted: int) -> int:
        if wanted or not scene.replicas:
            self._unneeded_since = None
            return wanted
        since = self._unneeded_since = scene.now if self._unneeded_since is None else self._unneeded_since
        return 0 if scene.now - since >= self._grace else 1
