"""The pause before a worker that ended begins again, as a kubelet makes it."""

from __future__ import annotations

from dataclasses import dataclass

# A kubelet's own numbers (pkg/kubelet/kubelet.go: initial and longest back-off; it forgets after twice that).
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 600.0  # of health, after which ends before it do not count


@dataclass(frozen=True, slots=True)
class Backoff:
    """``ends``: how many ends there were without health between them."""

    ends: int = 0

    def after(self, healthy: float) -> Backoff:
        """One end more, of a process that had been ready for so many seconds."""
        return Backoff(1 if healthy >= FORGOTTEN_SECONDS else self.ends + 1)

    @property
    def pause(self) -> float:
        """Seconds: none after the first end, then 10, 20, 40, 80, 160, 300, 300, …"""
        if self.ends <= 1:
            return 0.0
        doubled: float = FIRST_SECONDS * 2.0 ** min(self.ends - 2, 16)
        return min(doubled, LONGEST_SECONDS)
