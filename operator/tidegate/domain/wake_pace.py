"""When a service that still waits for a worker is woken again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

RETRY_SHARE = 1 / 20  # of the interval: a refusal may be over at once (409, a connection that was closed)
CHECK_SHARE = 1 / 10  # of the interval
ASKED_LIMIT = 32  # intervals: API servers that are busy ask for 32 s at most, others must not ask for hours
CHECK_LIMIT = 5  # intervals: how rarely it is looked whether a scale that was raised still is


class WakeResult(Enum):
    """What became of a wake."""

    RAISED = "raised"  # the scale is 1 because of it
    UNCHANGED = "unchanged"  # somebody had asked for a worker before
    REFUSED = "refused"  # refused, or not answered in time


@dataclass(slots=True)
class WakePace:
    """The pauses between the wakes of one service that nobody has come for yet; seconds.

    With an interval of 1 s: a wake that raised the scale is followed by another one, which changes nothing,
    only where no worker was seen for 5 s: controllers may take long when many are woken together. A refused
    one is tried again after 0.05, 0.1, 0.2 … 1 s. One that found the scale raised is followed by another
    after 0.1, 0.2, 0.4 … 5 s: whoever had raised it may be about to put the service to sleep.
    """

    interval: float
    _last: WakeResult | None = None
    _pause: float = 0.0

    def after(self, result: WakeResult) -> float:
        """Seconds until the next wake."""
        refused = result is WakeResult.REFUSED
        if result is WakeResult.RAISED:
            self._pause = self.interval * CHECK_LIMIT
        elif refused == (self._last is WakeResult.REFUSED) and self._last is not None:
            self._pause = min(self._pause * 2, self.interval * (1 if refused else CHECK_LIMIT))
        else:
            self._pause = self.interval * (RETRY_SHARE if refused else CHECK_SHARE)
        self._last = result
        return self._pause
