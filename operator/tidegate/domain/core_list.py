"""The kernel's lists of cores: ``2-3,8``."""

from __future__ import annotations

from collections.abc import Iterable

MOST_CORES = 16384  # twice what Linux can be built for; a list from elsewhere must not fill memory

Cores = frozenset[int]


def parse_cores(text: str) -> Cores:
    """The numbers in a list; ValueError for what is none, or names more than any machine has."""
    cores: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal()) or int(last) >= MOST_CORES:
            raise ValueError(f"{text[:80]!r} is not a list of cores such as 2-3,8")
        cores |= set(range(int(first), int(last) + 1))
    return frozenset(cores)


def format_cores(cores: Iterable[int]) -> str:
    """The list of some cores, with ranges, in order."""
    ranges: list[list[int]] = []
    for core in sorted(cores):
        if ranges and core == ranges[-1][1] + 1:
            ranges[-1][1] = core
        else:
            ranges.append([core, core])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
