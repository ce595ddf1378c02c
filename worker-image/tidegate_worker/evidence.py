"""What the kernel says of the worker's cores: cpuset, quota, how often it was throttled, how long it waited.

Numbers as the kernel has them; who may be called isolated is decided by who asks.
"""

from __future__ import annotations

import os
from pathlib import Path

from .cgroups import cgroup_folders, counts_of, first_text
from .cores import CPUSET_FILES, parse_cpus, read_quota
from .own_cgroup import session_usage
from .run_queue import RunQueueDelay

CPUS_OF_PROCESS = "Cpus_allowed_list"


def read_evidence(
    engine_pid: int, delay: RunQueueDelay, root: Path = Path("/"), *, own_cgroup: bool = True
) -> dict[str, object]:
    """What is known now, None for what is not; ``engine_pid``: the engine's first process.

    ``root`` is another place for /proc and /sys, for tests. Cores are lists such as ``2-3``. Where the cgroup
    is not the worker's own its processes tell what they have used.
    """
    folders = cgroup_folders(root)
    engine = _allowed(root, str(engine_pid))
    container = _narrowest(_allowed(root, "self"), first_text(folders["cpuset"], *CPUSET_FILES))
    online = _text(root / "sys/devices/system/cpu/online")
    return {
        "engineCpus": engine,
        "engineCores": _count(engine),
        "containerCpus": container,
        "containerCores": _count(container),
        "nodeCpus": online or None,
        "nodeCores": _count(online),
        "quotaCores": read_quota(folders["cpu"]),
        **read_throttling(folders["cpu"]),
        "runQueueDelayMicroseconds": delay.microseconds(),
        **read_neighbours(root, container, read_usage(folders) if own_cgroup else session_usage(root)),
    }


def read_throttling(folders: list[Path]) -> dict[str, int | None]:
    """The periods of a cgroup's quota, those that ended throttled, and for how long, since its start.

    Version 1 counts nanoseconds in throttled_time, version 2 microseconds in throttled_usec.
    """
    counts = counts_of(folders, "cpu.stat")
    nanoseconds = counts.get("throttled_time")
    older = None if nanoseconds is None else nanoseconds // 1000
    return {
        "periods": counts.get("nr_periods"),
        "throttledPeriods": counts.get("nr_throttled"),
        "throttledMicroseconds": counts.get("throttled_usec", older),
    }


def read_usage(folders: dict[str, list[Path]]) -> int | None:
    """Microseconds of processor time that the container has used since its start."""
    told = counts_of(folders["cpu"], "cpu.stat").get("usage_usec")
    older = first_text(folders["cpuacct"][:1], "cpuacct.usage")
    return told if told is not None else int(older) // 1000 if older.isdecimal() else None


def read_neighbours(root: Path, container: str | None, usage: int | None) -> dict[str, int | None]:
    """``usedMicroseconds``: of the container. ``coresBusyMicroseconds``: of its cores, since the machine's
    start, whoever used them; what a hypervisor took away is not among them.

    Between two looks the difference of the second, less that of the first, is what others had.
    """
    cpus = {f"cpu{cpu}" for cpu in parse_cpus(container or "")}
    lines = (line.split() for line in _text(root / "proc/stat").splitlines() if line.startswith("cpu"))
    rows = [list(map(int, line[1:8])) for line in lines if line[0] in cpus]
    # user, nice, system, idle, iowait, irq, softirq (proc(5)); user holds the guests' time already
    ticks = sum(sum(row) - row[3] - row[4] for row in rows if len(row) == 7)
    busy = ticks * 1_000_000 // os.sysconf("SC_CLK_TCK") if rows else None
    return {"usedMicroseconds": usage, "coresBusyMicroseconds": busy}


def _allowed(root: Path, process: str) -> str | None:
    """The cores that a process may run on; None where it is gone."""
    for line in _text(root / "proc" / process / "status").splitlines():
        name, _, value = line.partition(":")
        if name == CPUS_OF_PROCESS:
            return value.strip()
    return None


def _narrowest(allowed: str | None, told: str) -> str | None:
    """The container's cores: this process has all of them, and a cgroup that is mounted tells them too."""
    if not told or (allowed and parse_cpus(allowed) <= parse_cpus(told)):
        return allowed
    return told


def _count(cpus: str | None) -> int | None:
    return len(parse_cpus(cpus)) if cpus else None


def _text(file: Path) -> str:
    """The content, empty where it cannot be read: a process may end at any time."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
