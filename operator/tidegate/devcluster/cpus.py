"""Lists of cores as Linux writes them: `0-3,8`."""

from __future__ import annotations

import os
from collections.abc import Iterable


def parse_cpus(text: str) -> set[int]:
    """`0-2,5` → {0, 1, 2, 5}; ValueError for anything else."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def format_cpus(cpus: Iterable[int]) -> str:
    """{0, 1, 2, 5} → `0,1,2,5`."""
    return ",".join(str(cpu) for cpu in sorted(cpus))


def all_cpus() -> set[int]:
    """The cores that this process may use."""
    return os.sched_getaffinity(0)
