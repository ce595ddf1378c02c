"""What a benchmark found: figures with their goals, as JSON, as a table, and as the table of a docs page."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
Direction = Literal["min", "max"]  # which way is better
Round = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """``limit`` is for ``of``'s value, or for the ratio of that to ``against``'s where one is named."""

    limit: float
    against: str | None = None
    of: str = "tidegate"


@dataclass(frozen=True)
class Measure:
    """One thing that was measured on one or more proxies."""

    name: str
    text: str  # for the table
    unit: str
    values: dict[str, float]  # by proxy
    goal: Goal | None = None
    direction: Direction = "min"

    @property
    def judged(self) -> float | None:
        """The value that the goal speaks of; None without a goal."""
        if self.goal is None:
            return None
        value = self.values[self.goal.of]
        return value if self.goal.against is None else value / self.values[self.goal.against]

    @property
    def met(self) -> bool:
        """A measure without a goal is met by being there."""
        value = self.judged
        if self.goal is None or value is None:
            return True
        return value <= self.goal.limit if self.direction == "min" else value >= self.goal.limit

    def figures(self) -> list[dict[str, Any]]:
        """As the results' format has them: each proxy's value, and the ratio where the goal is one."""
        goal = self.goal
        own = goal.limit if goal is not None and goal.against is None else None
        found = [
            self._figure(f"{proxy}_{self.name}", value, self.unit, own if goal and proxy == goal.of else None)
            for proxy, value in self.values.items()
        ]
        if goal is not None and goal.against is not None and self.judged is not None:
            ratio = f"{self.name}_over_{goal.against}"
            found.append(self._figure(ratio, self.judged, "ratio", goal.limit))
        return found

    def _figure(self, name: str, value: float, unit: str, goal: float | None) -> dict[str, Any]:
        met = goal is None or self.met
        shown = {"goal": goal, "direction": self.direction, "met": met}
        return {"name": name, "value": significant(value), "unit": unit} | shown


@dataclass
class Findings:
    """All measures of one run, and what each round came to."""

    measures: list[Measure] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Takes up another scenario's."""
        self.measures += other.measures
        self.rounds += other.rounds


def significant(value: float) -> float:
    """Three digits, and whole numbers above a thousand: no benchmark knows more."""
    return float(round(value)) if abs(value) >= 1000 else float(f"{value:.3g}")


def shown(value: float | None) -> str:
    """A figure for people."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def medians(rounds: Iterable[Round], what: str, key: str) -> dict[str, float]:
    """The median of ``key`` over the rounds of ``what``, by proxy; those without it are left out."""
    values: dict[str, list[float]] = {}
    for one in rounds:
        if one["what"] == what and one.get(key) is not None:
            values.setdefault(one["proxy"], []).append(one[key])
    return {proxy: statistics.median(found) for proxy, found in values.items()}


def machine() -> dict[str, Any]:
    """Where it ran, and how busy that was before."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "data_path": _data_path(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _data_path() -> str:
    """Whether the gateway that starts here has its data path as C extensions."""
    found = importlib.util.find_spec("tidegate.gateway.exchange")
    return "compiled" if found and found.origin and found.origin.endswith(".so") else "interpreted"


def rows(measures: Sequence[Measure], proxies: Sequence[str]) -> list[list[str]]:
    """The table: a measure a row, a proxy a column, then the goal and what came of it."""
    head = ["", "unit", *proxies, "goal", "is", ""]
    return [head, *(_row(measure, proxies) for measure in measures)]


def _row(measure: Measure, proxies: Sequence[str]) -> list[str]:
    cells = [shown(measure.values.get(proxy)) for proxy in proxies]
    goal, judged = measure.goal, measure.judged
    if goal is None or judged is None:
        return [measure.text, measure.unit, *cells, "", "", ""]
    sign = "≤" if measure.direction == "min" else "≥"
    unit = "" if goal.against is None else f" of {goal.against}"
    verdict = "met" if measure.met else "missed"
    return [measure.text, measure.unit, *cells, f"{sign} {shown(goal.limit)}{unit}", shown(judged), verdict]


def plain(table: list[list[str]]) -> str:
    """A table for a terminal."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def markdown(table: list[list[str]]) -> str:
    """The same for a docs page."""
    head, *rest = (f"| {' | '.join(row)} |" for row in table)
    return "\n".join([head, "|---" * len(table[0]) + "|", *rest])


def write_results(name: str, about: dict[str, Any], findings: Findings) -> Path:
    """benchmarks/results/NAME.json, in the format that all benchmarks share; where it is."""
    result = {
        "name": name,
        "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": about,
        "figures": [figure for measure in findings.measures for figure in measure.figures()],
        "rounds": findings.rounds,
    }
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path


def write_between_markers(page: Path, name: str, text: str) -> None:
    """Replaces what stands between the page's markers of ``name``; ValueError where it has none."""
    begin, end = f"<!-- {name}: generated, begin -->", f"<!-- {name}: generated, end -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page}: the markers {begin} and {end} are missing")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
