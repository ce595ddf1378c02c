"""Control groups for workers, of version 1 and 2, below this process's own, where this user may make any."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

CPUSET, MEMORY = "cpuset", "memory"
SUPERVISOR = "supervisor"  # version 2: where this process goes, since a group with groups below holds none
_UNIFIED = ""  # the name under which /proc/self/cgroup has the hierarchy of version 2
_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The folders below which each worker gets one; a controller that is not there cannot be used.

    ``unified``: the controllers that are those of version 2.
    """

    parents: Mapping[str, Path] = field(default_factory=dict)  # by controller
    unified: bool = False

    def make(self, uid: str, cores: str, memory: int) -> tuple[Path, ...]:
        """The groups of a worker: its cores, as a list, and its memory in bytes. OSError where one fails."""
        for controller, folder in self._of(uid):
            folder.mkdir(exist_ok=True)
            if controller == CPUSET:
                _inherit(folder)
                (folder / "cpuset.cpus").write_text(cores)
            else:
                self._limit(folder, memory)
        return self.folders(uid)

    def _limit(self, folder: Path, memory: int) -> None:
        """No swap, as in a pod: a worker that swaps is slower than one that says that it has too little."""
        if not self.unified:
            (folder / "memory.limit_in_bytes").write_text(str(memory))
            with suppress(OSError):  # the kernel may count no swap
                (folder / "memory.memsw.limit_in_bytes").write_text(str(memory))
            return
        (folder / "memory.max").write_text(str(memory))
        with suppress(OSError):
            (folder / "memory.swap.max").write_text("0")

    def pin(self, uid: str, cores: str) -> bool:
        """Other cores for a worker; False where cores are not kept by groups."""
        if CPUSET not in self.parents:
            return False
        with suppress(FileNotFoundError):
            (self.parents[CPUSET] / uid / "cpuset.cpus").write_text(cores)
        return True

    def entries(self, uid: str) -> tuple[Path, ...]:
        """The files that a process of one thread writes 0 into. ``tasks`` moves that thread alone, for which
        the kernel waits for nobody; version 2 has it for whole processes only."""
        name = "cgroup.procs" if self.unified else "tasks"
        return tuple(folder / name for folder in self.folders(uid))

    def folders(self, uid: str) -> tuple[Path, ...]:
        """The groups of a worker that are there."""
        return tuple(dict.fromkeys(folder for _, folder in self._of(uid) if folder.is_dir()))

    def oom_kills(self, uid: str) -> int:
        """How many of its processes the kernel has killed at its memory's limit."""
        if MEMORY not in self.parents:
            return 0
        name = "memory.events" if self.unified else "memory.oom_control"
        text = _text(self.parents[MEMORY] / uid / name)
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        return int(found[1]) if found else 0

    def remove(self, uid: str) -> None:
        """Removes its groups; one that still has a process stays."""
        for folder in self.folders(uid):
            with suppress(OSError):
                folder.rmdir()

    def known(self) -> set[str]:
        """The uids that have groups."""
        return {
            folder.name for parent in self.parents.values() for folder in parent.iterdir() if folder.is_dir()
        } - {SUPERVISOR}

    def _of(self, uid: str) -> Iterator[tuple[str, Path]]:
        for controller, parent in self.parents.items():
            yield controller, parent / uid


def find_cgroups(name: str, root: Path = Path("/")) -> Cgroups:
    """What this user may make; ``name``: of the folder that holds the workers of this supervisor.

    ``root``: where /proc and /sys are.
    """
    paths = _memberships(_text(root / "proc/self/cgroup"))
    mounts = dict(_mounts(_text(root / "proc/self/mountinfo"), root))
    parents = {}
    for controller in (CPUSET, MEMORY):
        if controller in paths and controller in mounts:
            with suppress(OSError):
                parents[controller] = _make_first(mounts[controller], paths[controller], name)
    if parents or _UNIFIED not in mounts:
        return Cgroups(parents)
    with suppress(OSError):
        own = _below(mounts[_UNIFIED], paths.get(_UNIFIED, "/"))
        return Cgroups(_make_second(own, name), unified=True)
    return Cgroups()


def _make_first(mount: tuple[Path, str], path: str, name: str) -> Path:
    own = _below(mount, path)
    folder = own / name
    folder.mkdir(exist_ok=True)
    _inherit(folder)
    if not os.access(folder / "tasks", os.W_OK):
        raise PermissionError(folder)
    return folder


def _make_second(own: Path, name: str) -> dict[str, Path]:
    """A group that has processes cannot hand controllers down, so this one's own goes into a group below,
    unless whoever started it has put it there already. OSError where others are in the group as well."""
    top = own.parent if own.name == SUPERVISOR else own
    there = set(_text(top / "cgroup.controllers").split()) & {CPUSET, MEMORY}
    if not there or not os.access(top / "cgroup.subtree_control", os.W_OK):
        return {}
    if top == own and _text(own / "cgroup.procs").split() == [str(os.getpid())]:
        (own / SUPERVISOR).mkdir(exist_ok=True)
        (own / SUPERVISOR / "cgroup.procs").write_text("0")
    _hand_down(top, there)
    folder = top / name
    folder.mkdir(exist_ok=True)
    _hand_down(folder, there)
    return dict.fromkeys(sorted(there), folder)


def _hand_down(folder: Path, controllers: set[str]) -> None:
    missing = controllers - set(_text(folder / "cgroup.subtree_control").split())
    if missing:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in sorted(missing)))


def _inherit(folder: Path) -> None:
    """Version 1: a new cpuset is empty, and an empty one takes no process."""
    for name in _CPUSET_FILES:
        file = folder / name
        if file.exists() and not file.read_text().strip():
            above = _text(folder.parent / name)
            if above:
                file.write_text(above)


def _memberships(text: str) -> dict[str, str]:
    """The own group's path by controller (proc_pid_cgroup(5))."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _mounts(text: str, root: Path) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Each mounted hierarchy by its controllers: where it is, and which group its top shows
    (proc_pid_mountinfo(5): the fourth and fifth field; kind, source and options follow the hyphen)."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3 or not kind[0].startswith("cgroup"):
            continue
        names = [_UNIFIED] if kind[0] == "cgroup2" else kind[2].split(",")
        yield from ((each, (root / fields[4].lstrip("/"), fields[3])) for each in names)


def _below(mount: tuple[Path, str], path: str) -> Path:
    """The own group; the mount's top where the path leads out of what is mounted, as in a container."""
    folder, top = mount
    inner = path.removeprefix(top.rstrip("/")) if path.startswith(top) else path
    own = folder / inner.lstrip("/")
    return own if own.is_dir() and ".." not in Path(inner).parts else folder


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text().strip()
    return ""
