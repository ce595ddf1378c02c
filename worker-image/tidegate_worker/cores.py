"""Which cores, how much processor time and how much memory this process has, from its cgroup (v1 or v2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as a number just below 2**63


@dataclass(frozen=True, slots=True)
class Share:
    """What this process may use. ``quota`` is in cores, ``memory`` in bytes; None means no limit."""

    cpus: tuple[int, ...]
    quota: float | None
    memory: int | None


def count_oom_kills(root: Path = Path("/")) -> int:
    """How many processes of this cgroup were killed at its memory limit, ever."""
    folders = cgroup_folders((root / "proc/self/cgroup").read_text(), root / CGROUP.relative_to("/"))
    text = _first(folders["memory"][:1], "memory.events", "memory.oom_control")
    counts = dict(line.split() for line in text.splitlines())
    return int(counts.get("oom_kill", 0))


def read_share(root: Path = Path("/")) -> Share:
    """The share of this process; ``root`` is another place for /proc and /sys, for tests."""
    folders = cgroup_folders((root / "proc/self/cgroup").read_text(), root / CGROUP.relative_to("/"))
    allowed = os.sched_getaffinity(0)
    named = _first(folders["cpuset"], "cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus")
    cpus = allowed & parse_cpus(named) if named else allowed
    return Share(tuple(sorted(cpus or allowed)), read_quota(folders["cpu"]), read_memory(folders["memory"]))


def cgroup_folders(membership: str, mount: Path) -> dict[str, list[Path]]:
    """For cpu, cpuset and memory: the folders of this process's cgroup and its ancestors, own one first.

    ``membership`` is /proc/self/cgroup. Inside a container the mount shows the container's own
    cgroup at its top while the path in that file may be the host's: then the top is what counts.
    """
    paths: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            paths[name] = path
    found = {}
    for name in ("cpu", "cpuset", "memory"):
        top = mount / name if name in paths else mount
        found[name] = list(_upward(top, paths.get(name, paths.get("", "/"))))
    return found


def _upward(top: Path, path: str) -> Iterator[Path]:
    own = top / path.lstrip("/")
    if ".." in own.parts or not own.is_dir():
        own = top
    yield own
    while own != top:
        own = own.parent
        yield own


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
    both = _read(folder / "cpu.max")
    if both:
        quota, period = both.split()
    else:
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    if quota in ("", "max", "-1"):
        return None
    return int(quota) / int(period)


def read_memory(folders: list[Path]) -> int | None:
    """The smallest memory limit on the way up, in bytes."""
    texts = (_first([folder], "memory.max", "memory.limit_in_bytes") for folder in folders)
    limits = [int(text) for text in texts if text not in ("", "max")]
    return min((limit for limit in limits if limit < UNLIMITED), default=None)


def _first(folders: list[Path], *names: str) -> str:
    """The first file of these names that is there and not empty, in the first folder that has one."""
    texts = (_read(folder / name) for folder in folders for name in names)
    return next((text for text in texts if text), "")


def _read(file: Path) -> str:
    return file.read_text().strip() if file.is_file() else ""
