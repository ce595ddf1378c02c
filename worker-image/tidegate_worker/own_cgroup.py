"""Whether this worker's cgroup is its own, and its processor time where it is not.

A container has a cgroup of its own. A worker that is a process of somebody's machine may share one with all
else in that session: its counters are then not the worker's, while those of its processes are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

PROCESS_VARIABLE = "TIDEGATE_WORKER"  # set where no container holds the worker
OWN_VARIABLE = "TIDEGATE_OWN_CGROUP"  # 1: the worker was given a cgroup all the same


def has_own_cgroup(environment: Mapping[str, str]) -> bool:
    """Whether the cgroup's counters are those of the worker alone."""
    return not environment.get(PROCESS_VARIABLE) or environment.get(OWN_VARIABLE) == "1"


def session_usage(root: Path = Path("/")) -> int | None:
    """Microseconds of processor time of this session's processes and of their ended children, in steps of a
    clock tick; None where /proc tells nothing. ``root``: another place for it, for tests.
    """
    own = _fields(root / "proc/self/stat")
    if not own:
        return None
    ticks = sum(sum(map(int, row[11:15])) for row in _all(root) if row[3] == own[3])
    return ticks * 1_000_000 // os.sysconf("SC_CLK_TCK")


def _all(root: Path) -> Iterator[list[str]]:
    folders = (folder for folder in (root / "proc").iterdir() if folder.name.isdecimal())
    yield from filter(None, (_fields(folder / "stat") for folder in folders))


def _fields(stat: Path) -> list[str]:
    """What follows the process's name (proc(5), /proc/pid/stat): its state, parent, group and session first,
    the times of itself and of the children that it has waited for from the twelfth on. Empty: it is gone."""
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return fields if len(fields) > 14 else []
