"""What the kernel counts: throttling (cpu.stat), waits for a core (schedstat), the cores' time (/proc/stat).

Parsers are pure; the readers look at this machine, on which the embedded cluster's pods are processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.cpus import parse_cpus

CGROUP = Path("/sys/fs/cgroup")
ALLOWED = "Cpus_allowed_list:"
# /proc/stat, "cpu": user nice system idle iowait irq softirq steal guest guest_nice
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True)
class Throttling:
    """Periods of a quota, those that ended throttled, and seconds throttled."""

    periods: int = 0
    throttled: int = 0
    seconds: float = 0.0

    def __sub__(self, earlier: Throttling) -> Throttling:
        return Throttling(
            self.periods - earlier.periods,
            self.throttled - earlier.throttled,
            self.seconds - earlier.seconds,
        )


@dataclass(frozen=True)
class Counters:
    """A pod's counters and the machine's, at one moment."""

    throttling: Mapping[Path, Throttling]  # by control group: the pod's and its containers'
    run_queue_seconds: float
    cores: Mapping[str, int]
    busy_seconds: Mapping[int, float]  # by core, since boot
    used_seconds: float  # by the pod


def parse_throttling(text: str) -> Throttling:
    """Of a cpu.stat: version 1 has throttled_time in ns, version 2 throttled_usec; without a quota zeros."""
    counts = {key: int(value) for key, value in (line.split() for line in text.splitlines() if line)}
    seconds = counts.get("throttled_time", 0) / 1e9 + counts.get("throttled_usec", 0) / 1e6
    return Throttling(counts.get("nr_periods", 0), counts.get("nr_throttled", 0), seconds)


def parse_run_queue_seconds(schedstat: str) -> float:
    """The second field: nanoseconds that a thread was runnable and had no core."""
    fields = schedstat.split()
    return int(fields[1]) / 1e9 if len(fields) == 3 else 0.0


def parse_cores(stat: str) -> dict[str, int]:
    """The first line of /proc/stat, in ticks since boot, all cores together."""
    line = next(line for line in stat.splitlines() if line.startswith("cpu "))
    return dict(zip(COLUMNS, map(int, line.split()[1:]), strict=False))


def parse_busy(stat: str, ticks: int) -> dict[int, float]:
    """Seconds since boot that each core was not idle, from all of /proc/stat; ``ticks`` a second."""
    rows = [line.split() for line in stat.splitlines() if line[:3] == "cpu" and line[3:4].isdigit()]
    idle = [COLUMNS.index(name) + 1 for name in ("idle", "iowait", "steal")]
    return {
        int(row[0][3:]): (sum(map(int, row[1 : len(COLUMNS) + 1])) - sum(int(row[at]) for at in idle)) / ticks
        for row in rows
    }


def used_by_others(before: Counters, after: Counters, cores: Iterable[int]) -> float:
    """Seconds that somebody else than the pod had its cores, where it may use no others."""
    busy = sum(after.busy_seconds[core] - before.busy_seconds[core] for core in cores)
    return max(0.0, busy - (after.used_seconds - before.used_seconds))


def shares(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    """Per cent of all cores' time between two readings: usr, sys, iowait, steal, idle; as mpstat shows it."""
    spent = {name: after[name] - before[name] for name in COLUMNS}
    whole = sum(spent.values()) or 1
    groups = {
        "usr": ("user", "nice"),
        "sys": ("system", "irq", "softirq"),
        "iowait": ("iowait",),
        "steal": ("steal",),
        "idle": ("idle",),
    }
    return {
        name: round(100 * sum(spent[part] for part in parts) / whole, 1) for name, parts in groups.items()
    }


def stopped(before: Counters, after: Counters) -> Throttling:
    """What throttling came between: of the group that was stopped most often.

    A pod's quota stands in its own group and in its container's, and either may be the one that stops it.
    """
    differences = [
        after.throttling[group] - before.throttling[group]
        for group in after.throttling
        if group in before.throttling
    ]
    return max(differences, key=lambda one: (one.throttled, one.periods), default=Throttling())


def pod_groups(uid: str, root: Path = CGROUP) -> list[Path]:
    """The folders of a pod's control groups that have a cpu.stat: the pod's, its containers'."""
    top = root / "cpu" if (root / "cpu").is_dir() else root
    found = [group for group in top.rglob(f"pod{uid}") if (group / "cpu.stat").is_file()]
    return [group for pod in found for group in (pod, *pod.iterdir()) if (group / "cpu.stat").is_file()]


def read_counters(groups: Iterable[Path], proc: Path = Path("/proc")) -> Counters:
    """All counters of the pod with these groups, now."""
    groups = list(groups)
    throttling = {group: parse_throttling(_text(group / "cpu.stat")) for group in groups}
    waited = sum(
        parse_run_queue_seconds(_text(task / "schedstat"))
        for pid in processes(groups)
        for task in (proc / str(pid) / "task").glob("*")
    )
    stat = (proc / "stat").read_text()
    busy = parse_busy(stat, os.sysconf("SC_CLK_TCK"))
    return Counters(throttling, waited, parse_cores(stat), busy, sum(map(used_seconds, groups)))


def used_seconds(group: Path) -> float:
    """CPU seconds of a pod's own control group; 0 for those of its containers, which it includes."""
    if "pod" not in group.name:
        return 0.0
    first = _text(group / "cpu.stat").split()
    if first[:1] == ["usage_usec"]:
        return int(first[1]) / 1e6
    counted = Path(str(group).replace("/cpu/", "/cpuacct/", 1), "cpuacct.usage")  # version 1
    return int(_text(counted) or 0) / 1e9


def processes(groups: Iterable[Path]) -> set[int]:
    """The processes in these groups."""
    return {int(pid) for group in groups for pid in _text(group / "cgroup.procs").split()}


def allowed_cores(pids: Iterable[int], proc: Path = Path("/proc")) -> str:
    """The cores of a pod as a list such as ``0-1``: of its processes the one with the fewest.

    (The pause process of a pod with exclusive cores may run on all of them.)
    """
    lists = [words[1] for pid in pids for words in _words(proc / str(pid) / "status") if words[0] == ALLOWED]
    return min(lists, key=lambda text: len(parse_cpus(text)), default="")


def _words(file: Path) -> list[list[str]]:
    return [words for line in _text(file).splitlines() if len(words := line.split()) > 1]


def _text(file: Path) -> str:
    """Empty where it cannot be read: threads end at any time."""
    try:
        return file.read_text()
    except OSError:
        return ""
