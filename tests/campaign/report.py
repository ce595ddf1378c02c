"""The campaign's table and figures."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.campaign.cases import Outcome, Reference


@dataclass
class Report:
    """Takes outcomes as they come; ``file`` None: nothing is written."""

    file: str | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    known: list[Reference] = field(default_factory=list)

    @property
    def all_equal(self) -> bool:
        """Whether every case ended as without a fault."""
        return all(outcome.equal for outcome in self.outcomes)

    def begin(self, known: list[Reference]) -> None:
        """These scenarios are played."""
        self.known = known
        for each in known:
            print(f"{each.scenario.name}: {len(each.writes)} writes without a fault", flush=True)

    def take(self, outcome: Outcome) -> None:
        """One more; one that differs is told at once."""
        self.outcomes.append(outcome)
        if not outcome.equal:
            print(f"\n{outcome.scenario}, {outcome.fault}:", *outcome.problems[:12], sep="\n    ", flush=True)

    def end(self) -> None:
        """The table, and the file."""
        print(f"\n{'scenario':<18}{'writes':>7}{'before':>9}{'after':>9}{'seeds':>9}  equal")
        for row in (self._row(each) for each in self.known):
            cells = "".join(f"{row[name]:>9}" for name in ("before", "after", "seeds"))
            equal = "all" if row["equal"] == row["cases"] else f"{row['equal']} of {row['cases']}"
            print(f"{row['scenario']:<18}{row['writes']:>7}{cells}  {equal}")
        total = sum(outcome.equal for outcome in self.outcomes)
        print(f"{len(self.outcomes)} cases, {total} equal; faults met: {dict(self._met())}")
        if self.file:
            Path(self.file).write_text(json.dumps(self._figures(), indent=1) + "\n")

    def _row(self, known: Reference) -> dict[str, Any]:
        own = [outcome for outcome in self.outcomes if outcome.scenario == known.scenario.name]
        kinds = Counter(outcome.fault.split()[0] for outcome in own if outcome.reached)
        return {
            "scenario": known.scenario.name,
            "writes": len(known.writes),
            "before": kinds["before"],
            "after": kinds["after"],
            "seeds": kinds["seed"],
            "cases": len(own),
            "equal": sum(outcome.equal for outcome in own),
        }

    def _met(self) -> Counter[str]:
        return sum((outcome.met for outcome in self.outcomes), Counter())

    def _figures(self) -> dict[str, Any]:
        return {
            "name": "campaign",
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "cases": len(self.outcomes),
            "equal": sum(outcome.equal for outcome in self.outcomes),
            "rows": [self._row(each) for each in self.known],
            "faults": dict(self._met()),
            "unequal": [
                {"scenario": outcome.scenario, "fault": outcome.fault, "problems": outcome.problems}
                for outcome in self.outcomes
                if not outcome.equal
            ],
        }
