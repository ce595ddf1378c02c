"""A cold start as a gateway sees it: the points in time that it passes, in seconds since the wake.

::

    wake ──▶ created ──▶ scheduled ──▶ started ──▶ loaded ──▶ first_byte
         pod exists  has a node  the engine's  a worker   passed to
                                 container     answers    a client
                                 runs

What lies between them is in domain/start_parts.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

POINTS = ("created", "scheduled", "started", "loaded", "first_byte")
STAGES = frozenset(POINTS[:3])  # those that a worker's substrate reports


@dataclass(slots=True)
class ColdStart:
    """``points``: seconds since the wake at which each was reached; ``woken``: the clock's time of the wake.

    ``worker``: the pod that was ready first, empty before. ``settled``: no more points will be reached.
    """

    woken: float
    points: dict[str, float] = field(default_factory=dict)
    worker: str = ""
    settled: bool = False

    def reached(self, point: str, now: float) -> None:
        """``point`` is reached at ``now``; those before it that nobody saw were reached no later."""
        for earlier in POINTS[: POINTS.index(point) + 1]:
            self.points.setdefault(earlier, now - self.woken)

    @property
    def loaded_seconds(self) -> float | None:
        """From the wake until a worker could take requests; None before."""
        return self.points.get("loaded")
