"""Flap damping: a service that is woken right after it fell asleep sleeps later, by itself, within a bound.

The argument is that of the ski rental problem (Karlin, Manasse, Rudolph and Sleator, "Competitive snoopy
caching", 1988): to stay awake costs a worker's second each second, to sleep and wake again costs one start.
So a sleep that was shorter than a start usually takes has saved nothing and made somebody wait: it is a
*flap*. With an idle timeout that is one start longer it would not have been slept, since the next request
came within that time. A sleep as long as k starts has saved k of them and makes up for k flaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tidegate.domain.conditions import Condition
from tidegate.domain.reasons import Reason

IDLE_TIMEOUT_EXTENDED: Final = "IdleTimeoutExtended"
TOLERATED: Final = 2
"""Flaps that change nothing, long sleeps set off: two in a row happen by chance, the third is a pattern."""


@dataclass(frozen=True, slots=True)
class Flapping:
    """``wakes``: flaps that no long sleep has made up for. Times in seconds.

    ``start``: that a start from zero usually takes, None: unknown. ``idle_timeout``: the spec's, ``most``:
    what it is extended to at most.
    """

    wakes: int
    start: float | None
    idle_timeout: float
    most: float

    @property
    def extended(self) -> float:
        """The idle timeout that holds: one start (whole seconds) longer for each flap that is not tolerated.

        180 s, starts of 40 s, four flaps: 180 + (4 - 2) x 40 = 260 s.
        """
        longer = self._step * max(0, self.wakes - TOLERATED)
        return max(self.idle_timeout, min(self.most, self.idle_timeout + longer))

    @property
    def holds(self) -> bool:
        """Whether the service sleeps later than its spec says."""
        return self.extended > self.idle_timeout

    def after(self, slept: float) -> int:
        """``wakes`` when a request has ended a sleep of so many seconds."""
        if not self.start:
            return self.wakes  # what the start costs is not known: nothing is judged
        if slept < self.start:
            return min(self.wakes + 1, self._enough)
        return max(0, self.wakes - int(slept / self.start))

    @property
    def _enough(self) -> int:
        """Flaps beyond which the bound is reached: more would only make the end of it later."""
        room = max(0.0, self.most - self.idle_timeout)
        return max(self.wakes, TOLERATED + math.ceil(room / (self._step or 1)))

    @property
    def _step(self) -> int:
        return math.ceil(self.start or 0.0)

    def condition(self) -> Condition | None:
        """What a person is told while it holds; None while it does not."""
        if not self.holds:
            return None
        text = (
            f"{self.wakes} sleeps were shorter than the {self.start:g} s that a start takes, so it "
            f"sleeps after {self.extended:g} s without activity instead of {self.idle_timeout:g} s (at most "
            f"{self.most:g} s, scaling.maxIdleTimeoutSeconds). To keep it so, set scaling.idleTimeoutSeconds "
            f"to {self.extended:g}; to have none of it, set scaling.maxIdleTimeoutSeconds to "
            f"{self.idle_timeout:g}. It ends by itself when sleeps are long again"
        )
        return Condition(IDLE_TIMEOUT_EXTENDED, "True", Reason.FLAPPING, text)
