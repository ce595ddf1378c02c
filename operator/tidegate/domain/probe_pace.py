"""How often a worker that starts is asked whether it answers."""

from __future__ import annotations

from enum import Enum

OPEN_INTERVAL = (
    0.05  # seconds; whatever listens there spends time on each probe, a refusal costs the kernel's
)
LONGEST_INTERVAL = 1.0  # seconds
SHARE = 0.01  # of the time that it has been asked for


class ProbeResult(Enum):
    """What a probe met."""

    ANSWERS = "answers"  # 200
    OPEN = "open"  # something listens there, and did not answer 200 in time
    CLOSED = "closed"  # nothing does


def pause_after(result: ProbeResult, asked_for: float, shortest: float) -> float:
    """Seconds until the next probe of a worker that requests wait for, ``asked_for`` seconds after the first.

    Never longer than a hundredth of what the start has taken, so that probing adds no more than that to it:
    10 ms in the first second, 50 ms after five. A start of one second takes 100 probes, one of five minutes
    some 650 and not 30,000.
    """
    least = shortest if result is ProbeResult.CLOSED else max(shortest, OPEN_INTERVAL)
    return min(max(least, asked_for * SHARE), LONGEST_INTERVAL)
