"""Waiting for something to become true, with a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.processes import ProcessTable

PERIOD = 0.05  # seconds between two looks
LAST_LINES = 15


def wait_for(what: str, holds: Callable[[], bool], budget: float, watch: Callable[[], None]) -> None:
    """Returns when `holds()`; ClusterError after `budget` seconds. `watch` raises when it is hopeless."""
    deadline = time.monotonic() + budget
    while not holds():
        watch()
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not come within {budget:.0f} s")
        time.sleep(PERIOD)


def require_alive(table: ProcessTable, *names: str) -> None:
    """ClusterError, with the last lines of its log, if one of these processes has ended."""
    for name in names:
        if not table.alive(name):
            log = table.state.logs / f"{name}.log"
            raise ClusterError(f"{name} has ended; the last lines of {log}:\n  {last_lines(log)}")


def last_lines(log: Path) -> str:
    """The end of a log."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n  ".join(text.splitlines()[-LAST_LINES:])
