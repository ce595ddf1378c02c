"""What the campaign of ending workers found, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Case = dict[str, Any]


def write_results(cases: list[Case]) -> None:
    """Where the environment says, in the format of all results; printed, too."""
    result = {
        "name": "drain",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "load_after": round(os.getloadavg()[0], 2),
        },
        "figures": [figure for case in cases for figure in figures(case)],
        "rounds": cases,
    }
    where = Path(os.environ["TIDEGATE_DRAIN_RESULTS"])
    where.write_text(json.dumps(result, indent=1) + "\n")
    print(table(cases))


def figures(case: Case) -> list[dict[str, Any]]:
    """What failed of each kind; a worker that is killed ends the streams that had begun, with an event."""
    name = case["case"].replace(" ", "_")
    silent = case["streams_cut"] - case["cut_with_event"]
    killed = case["case"].endswith("killed")
    found = [
        _figure(f"{name}_new_failed", len(case["new_failed"]), 0),
        _figure(f"{name}_in_flight_failed", len(case["unary_failed"]), 0),
        _figure(f"{name}_streams_cut", case["streams_cut"], None if killed else 0),
    ]
    return [*found, _figure(f"{name}_cut_without_event", silent, 0)] if killed else found


def _figure(name: str, value: int, goal: int | None) -> dict[str, Any]:
    judged = {"goal": goal, "direction": "min", "met": goal is None or value <= goal}
    return {"name": name, "value": value, "unit": "requests", **judged}


def table(cases: list[Case]) -> str:
    """A row for each case."""
    rows = [("", "in flight", "new", "new failed", "in flight failed", "streams cut", "with an event")]
    rows += [
        (
            case["case"],
            str(case["in_flight"]),
            str(case["new"]),
            str(len(case["new_failed"])),
            str(len(case["unary_failed"])),
            str(case["streams_cut"]),
            str(case["cut_with_event"]),
        )
        for case in cases
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
