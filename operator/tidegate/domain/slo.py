"""Whether a service meets its targets, from the gateways' histograms of the last ten minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

WINDOW_SECONDS = 600.0
LEAST_REQUESTS = 20  # of which a quantile is told; the 95th percentile of fewer is their worst one
# A figure that has missed its target must be this much better than it before it counts as met again.
MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Histogram:
    """Upper edges, and how many observations lie between each two; the last count is above all edges."""

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """All observations."""
        return sum(self.counts)

    def plus(self, other: Histogram) -> Histogram:
        """Both together; one without edges is empty. With other edges, as of a gateway of the release before,
        nothing can be summed: ``other`` alone counts."""
        if self.edges != other.edges:
            return other if other.edges else self
        return Histogram(self.edges, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def since(self, before: Histogram) -> Histogram:
        """What has come since ``before``; all of it where the counts have begun anew."""
        if before.edges != self.edges or any(b > a for a, b in zip(self.counts, before.counts, strict=True)):
            return self
        return Histogram(self.edges, tuple(a - b for a, b in zip(self.counts, before.counts, strict=True)))

    def quantile(self, q: float) -> float | None:
        """The value below which the share ``q`` of the observations lies; None without any.

        As Prometheus' histogram_quantile has it: observations lie evenly between a bucket's edges, so that
        of n of them, b below the bucket (l, u] and c within it, the quantile is l + (u - l) * (q*n - b) / c.
        Above the last edge nothing is known, and that edge is returned.
        """
        rank, below = q * self.total, 0
        if self.total == 0:
            return None
        for (lower, upper), count in zip(pairwise((0.0, *self.edges)), self.counts, strict=False):
            if count and below + count >= rank:
                return lower + (upper - lower) * max(0.0, rank - below) / count
            below += count
        return self.edges[-1]


@dataclass(frozen=True, slots=True)
class Tally:
    """What gateways counted for one service; ``histograms``: delay, execution, total, firstToken, rate."""

    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    good: int = 0
    bad: int = 0

    def histogram(self, name: str) -> Histogram:
        """The one of that name; an empty one where there is none."""
        return self.histograms.get(name, Histogram())

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        names = self.histograms.keys() | other.histograms.keys()
        summed = {name: self.histogram(name).plus(other.histogram(name)) for name in names}
        return Tally(summed, self.good + other.good, self.bad + other.bad)

    def since(self, before: Tally) -> Tally:
        """What has come since ``before``; all of it where the counts have begun anew."""
        fallen = self.good < before.good or self.bad < before.bad
        parts = {
            name: one if fallen else one.since(before.histogram(name))
            for name, one in self.histograms.items()
        }
        good, bad = (0, 0) if fallen else (before.good, before.bad)
        return Tally(parts, self.good - good, self.bad - bad)


@dataclass(frozen=True, slots=True)
class Target:
    """One figure of spec.slo. ``source``: the histogram; empty: the ratio of good requests.

    ``least``: the target is the least that it may be, else the most.
    """

    name: str
    value: float
    source: str = ""
    q: float = 0.5
    least: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """What a target was compared with; ``value`` None: too few requests."""

    target: Target
    value: float | None
    met: bool

    @property
    def text(self) -> str:
        """``totalP95Seconds 9.1 > 8``."""
        sign = "<" if self.target.least else ">"
        return f"{self.target.name} {rounded(self.value or 0.0)} {sign} {self.target.value:g}"


def figure_of(target: Target, tally: Tally, *, was_missed: bool) -> Figure:
    """One target against what was counted; ``was_missed``: it must now be better by the margin."""
    value = _value(target, tally)
    return Figure(target, value, value is None or _meets(target, value, MARGIN if was_missed else 0.0))


def _value(target: Target, tally: Tally) -> float | None:
    if target.source:
        one = tally.histogram(target.source)
        return one.quantile(target.q) if one.total >= LEAST_REQUESTS else None
    total = tally.good + tally.bad
    return tally.good / total if total >= LEAST_REQUESTS else None


def _meets(target: Target, value: float, margin: float) -> bool:
    if not target.source:  # of the share that may fail: 0.99 leaves 0.01, and 5 % less of that is 0.0095
        return 1.0 - value <= (1.0 - target.value) * (1.0 - margin)
    if target.least:
        return value >= target.value * (1.0 + margin)
    return value <= target.value * (1.0 - margin)


def rounded(value: float) -> str:
    """Two significant digits, three for a ratio: 9.1, 0.52, 0.987, 130."""
    digits = 3 if 0.9 <= value < 1.0 else 2
    return f"{float(f'{value:.{digits}g}'):g}"


def total_of(tallies: Sequence[Tally]) -> Tally:
    """All together."""
    result = Tally()
    for each in tallies:
        result = result.plus(each)
    return result
