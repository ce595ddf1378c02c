"""How much work has come, and how much must be done, by a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate


class WorkCurve:
    """Seconds of work that all requests have had by a time, where each begins at its time and goes on at a
    constant pace; ``runs``: begin and length of each."""

    def __init__(self, runs: Iterable[tuple[float, float]]) -> None:
        changes = sorted(_changes(runs))
        self._times = [time for time, _ in changes]
        self._running = list(accumulate(change for _, change in changes))
        self._work = self._integrals()

    def _integrals(self) -> list[float]:
        """The work up to each of the times."""
        work, total = [0.0] if self._times else [], 0.0
        for place in range(1, len(self._times)):
            total += self._running[place - 1] * (self._times[place] - self._times[place - 1])
            work.append(total)
        return work

    def at(self, time: float) -> float:
        """The work up to a time."""
        place = bisect_right(self._times, time) - 1
        if place < 0:
            return 0.0
        return self._work[place] + self._running[place] * (time - self._times[place])

    def highest(self) -> int:
        """The most that run at once."""
        return max(self._running, default=0)


def _changes(runs: Iterable[tuple[float, float]]) -> Iterable[tuple[float, int]]:
    for begin, length in runs:
        yield begin, 1
        yield begin + length, -1


def earliest(arrivals: Sequence[tuple[float, float]]) -> WorkCurve:
    """Where each request runs as soon as it comes, and as fast as it can: more is never done by any time."""
    return WorkCurve(arrivals)


def latest(arrivals: Sequence[tuple[float, float]], wait: float, stretch: float) -> WorkCurve:
    """Where each begins ``wait`` seconds after it came and takes ``stretch`` times as long as alone: in
    seconds of work as it is alone, so much is done by any time if nobody waits longer."""
    return WorkCurve((arrival + wait, work * stretch) for arrival, work in arrivals)
