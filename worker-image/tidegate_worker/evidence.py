"""What the kernel says of the worker's cores: cpuset, quota, how often it was throttled, how long it waited.

Numbers as the kernel has them; who may be called isolated is decided by who asks.
"""

from __future__ import annotations

from pathlib import Path

from .cores import CGROUP, cgroup_folders, parse_cpus, read_quota

CPUS_OF_PROCESS = "Cpus_allowed_list"
TASKS = 4096  # threads whose waiting is summed, so that an answer stays quick; vLLM has some hundred


def read_evidence(pid: int, root: Path = Path("/")) -> dict[str, object]:
    """What is known now, None for what is not; ``pid``: the engine's first process and leader of its group.

    ``root`` is another place for /proc and /sys, for tests. Cores are lists such as ``2-3``.
    """
    folders = cgroup_folders(_text(root / "proc/self/cgroup"), root / CGROUP.relative_to("/"))
    container, engine = _allowed(root, "self"), _allowed(root, str(pid))
    online = _text(root / "sys/devices/system/cpu/online")
    return {
        "engineCpus": engine,
        "engineCores": _count(engine),
        "containerCpus": _narrowest(container, folders["cpuset"]),
        "containerCores": _count(_narrowest(container, folders["cpuset"])),
        "nodeCpus": online or None,
        "nodeCores": _count(online),
        "quotaCores": read_quota(folders["cpu"]),
        **read_throttling(folders["cpu"][0]),
        "runQueueDelayMicroseconds": _run_queue_delay(root, pid),
    }


def read_throttling(folder: Path) -> dict[str, int | None]:
    """The periods of a cgroup's quota, those that ended throttled, and for how long, since its start.

    Version 1 counts nanoseconds in throttled_time, version 2 microseconds in throttled_usec.
    """
    lines = (line.split() for line in _text(folder / "cpu.stat").splitlines())
    counts = {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}
    nanoseconds = counts.get("throttled_time")
    older = None if nanoseconds is None else nanoseconds // 1000
    return {
        "periods": counts.get("nr_periods"),
        "throttledPeriods": counts.get("nr_throttled"),
        "throttledMicroseconds": counts.get("throttled_usec", older),
    }


def _allowed(root: Path, process: str) -> str | None:
    """The cores that a process may run on; None where it is gone."""
    for line in _text(root / "proc" / process / "status").splitlines():
        name, _, value = line.partition(":")
        if name == CPUS_OF_PROCESS:
            return value.strip()
    return None


def _narrowest(allowed: str | None, cpusets: list[Path]) -> str | None:
    """The container's cores: this process has all of them, and a cgroup that is mounted tells them too."""
    names = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")
    told = next((text for folder in cpusets for name in names if (text := _text(folder / name))), "")
    if not told or (allowed and parse_cpus(allowed) <= parse_cpus(told)):
        return allowed
    return told


def _count(cpus: str | None) -> int | None:
    return len(parse_cpus(cpus)) if cpus else None


def _run_queue_delay(root: Path, pid: int) -> int:
    """Microseconds that the engine's living threads have waited for a core, all together."""
    nanoseconds = left = 0
    for process in _group(root, pid):
        for task in list(process.glob("task/*"))[: TASKS - left]:
            left += 1
            fields = _text(task / "schedstat").split()
            nanoseconds += int(fields[1]) if len(fields) == 3 else 0
    return nanoseconds // 1000


def _group(root: Path, pid: int) -> list[Path]:
    """The processes of the engine's group."""
    folders = [folder for folder in (root / "proc").iterdir() if folder.name.isdecimal()]
    return [folder for folder in folders if _group_of(folder) == pid]


def _group_of(process: Path) -> int | None:
    """The fifth field of stat; the second is a name, which may hold spaces and parentheses."""
    fields = _text(process / "stat").rpartition(")")[2].split()
    return int(fields[2]) if len(fields) > 2 else None


def _text(file: Path) -> str:
    """The content, empty where it cannot be read: a process may end at any time."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
