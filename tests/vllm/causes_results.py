"""What the campaign of causes found, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One cause: the reason that is right, the line that was left, and seconds until it was there."""

    case: str
    expected: str
    line: str
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the user reads the right reason."""
        return self.line.startswith(f"{self.expected}: ")


class Results:
    """All causes in the order in which they were provoked."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def add(self, case: str, expected: str, line: str, seconds: float) -> None:
        """One more."""
        self._rows.append(Row(case, expected, line, round(seconds, 1)))

    def write(self, place: Path) -> None:
        """As JSON in the format of all results, and as a table on stdout."""
        right = sum(row.right for row in self._rows)
        machine = {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "load_after": round(os.getloadavg()[0], 2),
        }
        result = {
            "name": place.stem,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine,
            "figures": [
                {"name": "causes_provoked", "value": len(self._rows), "unit": "causes"},
                {
                    "name": "causes_with_a_wrong_reason",
                    "value": len(self._rows) - right,
                    "unit": "causes",
                    "goal": 0,
                    "direction": "min",
                    "met": right == len(self._rows),
                },
            ],
            "rounds": [asdict(row) for row in self._rows],
        }
        place.write_text(json.dumps(result, indent=1) + "\n")
        print("\n" + "\n".join(f"{row.seconds:6.1f} s  {row.case:38} {row.line}" for row in self._rows))
