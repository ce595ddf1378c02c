"""What a comparison prints."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.simulation.comparison import Comparison
from tidegate.simulation.figures import Figures

HEADER = (
    "policy",
    "within",
    "p50 s",
    "p95 s",
    "p99 s",
    "cold",
    "refused",
    "replica-s",
    "of bound",
    "cost",
    "decisions",
)
_COST = HEADER.index("cost")


def table(comparison: Comparison, price: float, currency: str = "") -> str:
    """The policies of one scenario, a line each, under what the figures are about; ``price``: of one worker
    for an hour, 0: none is known, and no cost is told."""
    scenario, bound = comparison.scenario, comparison.bound
    least = bound.replica_seconds if bound else None
    head = (
        f"{scenario.name}: {len(scenario.trace.requests):,} requests in {scenario.trace.duration:,.0f} s; "
        f"within: the share that waited {scenario.target:g} s at most"
    )
    rows = [_row(figures, least, price) for figures in (*comparison.figures, *_plan(comparison))]
    if least is not None:
        cost = f"{least / 3600 * price:.2f}"
        rows.append(("lower bound", "1.0000", *[""] * 5, f"{least:,.0f}", "1.00", cost, ""))
    else:
        most = scenario.bounds.maximum
        head += f"\nno lower bound: even {most} (scaling.maxReplicas) cannot serve all in time"
    lines = [(*HEADER[:_COST], f"cost {currency}".strip(), *HEADER[_COST + 1 :]), *rows]
    return "\n".join((head, *_aligned(lines if price else [_without_cost(line) for line in lines])))


def _without_cost(row: tuple[str, ...]) -> tuple[str, ...]:
    return (*row[:_COST], *row[_COST + 1 :])


def _plan(comparison: Comparison) -> tuple[Figures, ...]:
    return () if comparison.plan is None else (comparison.plan,)


def _row(figures: Figures, least: float | None, price: float) -> tuple[str, ...]:
    waits = (figures.wait_p50, figures.wait_p95, figures.wait_p99)
    return (
        figures.policy,
        f"{figures.attainment:.4f}",
        *(f"{wait:.1f}" for wait in waits),
        str(figures.cold_starts),
        str(figures.refused),
        f"{figures.replica_seconds:,.0f}",
        "" if not least else f"{figures.replica_seconds / least:.2f}",
        f"{figures.cost(price):.2f}",
        str(figures.decisions),
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the rest to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(
            (
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            )
        )
        for row in rows
    ]
