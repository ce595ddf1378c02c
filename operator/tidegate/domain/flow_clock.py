"""The two budgets of a waiting request run on two clocks: one while workers are ready, one while none is."""

from __future__ import annotations


class BudgetClock:
    """Seconds so far with a worker ready (``warm``) and without one (``cold``).

    A request remembers both at its arrival. It has waited ``warm(now) - then`` seconds of its
    wait budget and ``cold(now) - then`` of its cold-start budget, whatever came in between: a
    request that saw 200 s of loading and 10 s of a busy worker has used 200 of 300 and 10 of 120.
    """

    __slots__ = ("_since", "_warm", "cold_total", "ready")

    def __init__(self, now: float) -> None:
        self.ready = False
        self._since = now
        self._warm = 0.0
        self.cold_total = 0.0  # seconds without a worker up to the latest change

    def turn(self, ready: bool, now: float) -> None:
        """From ``now`` on a worker is ready, or none is."""
        if ready == self.ready:
            return
        self._warm, self.cold_total = self.warm(now), self.cold(now)
        self.ready, self._since = ready, now

    def warm(self, now: float) -> float:
        """Seconds with a worker ready."""
        return self.both(now)[0]

    def cold(self, now: float) -> float:
        """Seconds without one."""
        return self.both(now)[1]

    def both(self, now: float) -> tuple[float, float]:
        """Warm and cold."""
        passed = now - self._since
        if self.ready:
            return self._warm + passed, self.cold_total
        return self._warm, self.cold_total + passed

    def cold_since(self, now: float) -> float:
        """Seconds of the present stretch without a worker; 0 while one is ready."""
        return 0.0 if self.ready else now - self._since
