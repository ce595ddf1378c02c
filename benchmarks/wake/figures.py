"""Figures of several rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from harness.report import Goal, Measure


def p95(values: Sequence[float]) -> float:
    """The 95th percentile, between the two nearest values; of a single value that value."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=20, method="inclusive")[18]


def ratio(name: str, text: str, value: float, limit: float) -> Measure:
    """A ratio of tidegate's figure to another one, which must not be above the limit."""
    return Measure(name, text, "ratio", {"tidegate": value}, Goal(limit))
