"""What happened to a worker's cores between two looks at its counters."""

from __future__ import annotations

from dataclasses import dataclass

# Others count as neighbours where they cost a worker a tenth of its own running time. That is what a worker
# on cores of its own is promised (as long as alone, and 10 % more); interrupts and kernel threads stay below.
# It must be a twentieth of the time that went by, too, and a second at least: of a worker that hardly runs,
# a few late awakenings are a large part of nearly nothing.
NEIGHBOURS_SHARE = 0.1
NEIGHBOURS_PART = 0.05
NEIGHBOURS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Counters:
    """A worker's counters at one look, since different beginnings; None where its kernel tells none.

    ``periods``, ``throttled``: of its quota, and those in which the quota stopped it. In microseconds:
    ``stopped`` by the quota; ``waited`` by its threads for a core; ``used`` by its container; ``busy``: its
    cores, by whomever they were used.
    """

    periods: int | None = None
    throttled: int | None = None
    stopped: int | None = None
    waited: int | None = None
    used: int | None = None
    busy: int | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """Two looks' difference. Periods are counted, all else is in seconds; 0 where it is not known."""

    seconds: float
    periods: int = 0
    throttled: int = 0
    stopped: float = 0.0
    waited: float = 0.0
    used: float = 0.0
    others: float = 0.0  # used on its cores by others

    @property
    def lost(self) -> float:
        """Seconds that others cost it: threads of a busy worker wait for each other, too, and others may run
        where it would have rested, so it is no more than it waited and no more than they ran."""
        return min(self.waited, self.others)

    @property
    def disturbed(self) -> bool:
        """Whether its cores have neighbours on them."""
        return self.lost >= max(
            NEIGHBOURS_SECONDS, NEIGHBOURS_PART * self.seconds, NEIGHBOURS_SHARE * self.used
        )


def between(before: Counters, after: Counters, seconds: float, *, same_cores: bool) -> Between:
    """The difference; a count that went back is another container's. ``same_cores``: at both looks."""
    used = _grown(before.used, after.used) / 1e6
    busy = _grown(before.busy, after.busy) / 1e6 if same_cores and after.used is not None else used
    return Between(
        seconds=seconds,
        periods=_grown(before.periods, after.periods),
        throttled=_grown(before.throttled, after.throttled),
        stopped=_grown(before.stopped, after.stopped) / 1e6,
        waited=_grown(before.waited, after.waited) / 1e6,
        used=used,
        others=max(0.0, busy - used),
    )


def _grown(before: int | None, after: int | None) -> int:
    return 0 if before is None or after is None else max(0, after - before)
