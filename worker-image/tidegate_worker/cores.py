"""Which cores, how much processor time and how much memory this process has: from its cgroup (v1 or v2), and
where nothing holds it to a size of memory, from what it was told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .cgroups import cgroup_folders, counts_of, first_text

UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number just below 2**63
MEMORY_VARIABLE = "TIDEGATE_MEMORY_BYTES"  # within which the worker is to stay, though nothing may enforce it
# The cores that a cpuset has now, under the names of version 2, of version 1, and of an older version 1.
CPUSET_FILES = ("cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")


@dataclass(frozen=True, slots=True)
class Share:
    """What this process may use. ``quota`` is in cores, ``memory`` in bytes; None means no limit.

    ``singled_out``: the cores are some of the machine's and not simply all. ``balanced``: the kernel moves
    threads between them; where it does not, a thread stays on the core on which it was begun.
    """

    cpus: tuple[int, ...]
    quota: float | None
    memory: int | None
    singled_out: bool = True
    balanced: bool = True


def count_oom_kills(root: Path = Path("/")) -> int:
    """How many processes of this cgroup were killed at its memory limit, ever."""
    folders = cgroup_folders(root)["memory"]
    events = counts_of(folders, "memory.events") or counts_of(folders, "memory.oom_control")
    return events.get("oom_kill", 0)


def read_share(root: Path = Path("/"), environment: Mapping[str, str] | None = None) -> Share:
    """The share of this process. ``root`` is another place for /proc and /sys, for tests; ``environment`` may
    tell a size of memory: of that and of the cgroup's limit the smaller holds."""
    folders = cgroup_folders(root)
    allowed = os.sched_getaffinity(0)
    cpus = (allowed & read_cpuset(folders["cpuset"])) or allowed
    machine = root / "sys/devices/system/cpu"
    return Share(
        tuple(sorted(cpus)),
        read_quota(folders["cpu"]),
        _smaller(read_memory(folders["memory"]), told_memory(environment or {})),
        singled_out=cpus != parse_cpus(first_text([machine], "online")),
        balanced=not cpus & parse_cpus(first_text([machine], "isolated")) and _balances(folders["cpuset"]),
    )


def told_memory(environment: Mapping[str, str]) -> int | None:
    """Bytes that the worker was told to stay within; None where it was told none."""
    text = environment.get(MEMORY_VARIABLE, "")
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _smaller(limit: int | None, told: int | None) -> int | None:
    return min((each for each in (limit, told) if each is not None), default=None)


def read_cpuset(folders: list[Path]) -> set[int]:
    """The cores of the nearest cgroup that tells any: a cgroup without the controller has its parent's."""
    return parse_cpus(first_text(folders, *CPUSET_FILES))


def _balances(folders: list[Path]) -> bool:
    """False in an isolated partition. A ``member`` is in that of the cgroup above it, and so is one that says
    ``isolated invalid (…)``."""
    told = (first_text([folder], "cpuset.cpus.partition") for folder in folders)
    roots = (text for text in told if text in ("root", "isolated"))
    return next(roots, "root") != "isolated"


def parse_cpus(text: str) -> set[int]:
    """The numbers of a list such as ``0-2,5``."""
    cpus: set[int] = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def read_quota(folders: list[Path]) -> float | None:
    """The smallest quota on the way up, in cores."""
    quotas = [quota for folder in folders if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _quota(folder: Path) -> float | None:
    both = first_text([folder], "cpu.max")
    if both:
        quota, _, period = both.partition(" ")
    else:
        quota, period = (first_text([folder], f"cpu.cfs_{part}_us") for part in ("quota", "period"))
    if quota in ("", "max", "-1"):
        return None
    return int(quota) / int(period or 100_000)


def read_memory(folders: list[Path]) -> int | None:
    """The smallest memory limit on the way up, in bytes."""
    texts = (first_text([folder], "memory.max", "memory.limit_in_bytes") for folder in folders)
    limits = [int(text) for text in texts if text not in ("", "max")]
    return min((limit for limit in limits if limit < UNLIMITED), default=None)
