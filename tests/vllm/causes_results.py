"""What the campaigns of causes found, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

# Where a test keeps what a worker has at a fixed place: its model, its home, the packages.
PLACES = (
    (re.compile(r"/\S*?/pytest-\d+/workers\d+/\d+(?=/)"), ""),
    (re.compile(r"/\S*?/pytest-\d+/test_[^/\s`'\"]+"), "/models"),
    (re.compile(r"/\S*?/tidegate/models(?=/)"), "/models"),
    (re.compile(r"/\S*?/tidegate/worker/site-packages-[\d.]+"), "/site-packages"),
)


def as_in_a_worker(line: str) -> str:
    """The line with the places of a worker, whatever machine this is.

    >>> as_in_a_worker("/tmp/pytest-of-me/pytest-7/test_a0/chat/config.json is not JSON")
    '/models/chat/config.json is not JSON'
    """
    for place, known in PLACES:
        line = place.sub(known, line)
    return line


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
        self._rows.append(Row(case, expected, as_in_a_worker(line), round(seconds, 1)))

    def _known(self, place: Path) -> dict[str, Row]:
        rows = json.loads(place.read_text())["rounds"] if place.is_file() else []
        return {each["case"]: Row(**each) for each in rows}

    def write(self, place: Path) -> None:
        """As JSON in the format of all results, and as a table on stdout.

        What the file has of other causes stays there, so that some can be provoked anew (``pytest -k``).
        """
        self._rows = list({**self._known(place), **{row.case: row for row in self._rows}}.values())
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
        place.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        print("\n" + "\n".join(f"{row.seconds:6.1f} s  {row.case:38} {row.line}" for row in self._rows))
