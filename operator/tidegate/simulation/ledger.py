"""How each request ended."""

from __future__ import annotations

from collections import Counter

from tidegate.domain.outcome import Outcome


class Ledger:
    """Each request stands in it exactly once, with its end."""

    def __init__(self, target: float) -> None:
        self.target = target  # seconds that a request may wait and count as served well
        self.outcomes: Counter[Outcome] = Counter()
        self.waits: list[float] = []  # of those that a worker got
        self.late: list[tuple[float, float]] = []  # from when to when those waited that were not served well

    def ran(self, arrived: float, started: float, outcome: Outcome) -> None:
        """A worker got it, at ``started``."""
        self.outcomes[outcome] += 1
        self.waits.append(started - arrived)
        if started - arrived > self.target or outcome is not Outcome.COMPLETED:
            self.late.append((arrived, started))

    def refused(self, arrived: float, now: float, outcome: Outcome) -> None:
        """No worker got it."""
        self.outcomes[outcome] += 1
        self.late.append((arrived, now))

    @property
    def within(self) -> int:
        """Those that completed and waited no longer than the target."""
        return self.outcomes.total() - len(self.late)
