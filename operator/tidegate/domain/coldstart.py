"""What a cold start's time was spent on."""

from __future__ import annotations

from dataclasses import dataclass, field

PARTS = ("created", "scheduled", "started", "loaded", "first_byte")
STAGES = frozenset(PARTS[:3])  # those that a worker's substrate reports


@dataclass(slots=True)
class ColdStart:
    """Seconds since the wake at which each part was reached; ``woken`` is the clock's time of the wake."""

    woken: float
    parts: dict[str, float] = field(default_factory=dict)

    def reached(self, part: str, now: float) -> None:
        """``part`` is reached at ``now``; those before it that nobody saw were reached no later."""
        for earlier in PARTS[: PARTS.index(part) + 1]:
            self.parts.setdefault(earlier, now - self.woken)

    @property
    def loaded_seconds(self) -> float | None:
        """From the wake until a worker could take requests; None before."""
        return self.parts.get("loaded")

    @property
    def complete(self) -> bool:
        """True when its first byte was passed to a client."""
        return "first_byte" in self.parts
