"""What a spec asks of the number of workers at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from tidegate.domain.scaling_metrics import Metric, PerReplica
from tidegate.domain.schedule import Minimum


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the spec says about the number of workers at one moment; times in seconds."""

    minimum: int = 0
    maximum: int = 1
    idle_timeout: float = 180.0
    metric: Metric = field(default_factory=PerReplica)
    suspended: bool = False
    external: int | None = None  # the number that others set; None in mode Managed
    scale_down_delay: float = 180.0
    scheduled: Minimum = field(default_factory=lambda: Minimum(0, None))
    longest_idle_timeout: float = 0.0  # what short sleeps extend idle_timeout to; not more: they do not
    idle_extension: float = 0.0  # what short sleeps add to idle_timeout now
    slots: int = 32  # requests that a worker runs at once

    @property
    def least(self) -> int:
        """Workers that are kept without any request, by the spec and its schedules."""
        return min(self.maximum, max(self.minimum, self.scheduled.replicas))

    @property
    def why_least(self) -> tuple[str, str]:
        """The reason and the message for that number."""
        if self.scheduled.replicas > self.minimum:
            workers = f"{self.scheduled.replicas} worker" + ("s" if self.scheduled.replicas > 1 else "")
            return "Schedule", f"a schedule keeps {workers} now (scaling.schedules)"
        return "MinReplicas", f"scaling.minReplicas is {self.minimum}"

    @property
    def idle_after(self) -> float:
        """Seconds without activity until sleep."""
        return self.idle_timeout + self.idle_extension

    @property
    def why_idle(self) -> str:
        """Where that number is from."""
        extended = f", extended by {self.idle_extension:g} s for short sleeps" if self.idle_extension else ""
        return f"{self.idle_after:g} s (scaling.idleTimeoutSeconds{extended})"
