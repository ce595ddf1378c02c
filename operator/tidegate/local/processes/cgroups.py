"""Control groups for workers, of version 1 and 2, below this process's own, where this user may make any."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.local.processes.own_cgroup import own_cgroup, read

CPUSET, MEMORY = "cpuset", "memory"
CPUACCT = "cpuacct"  # version 1: where the time that a worker has used is counted; version 2 counts it anyway
SUPERVISOR = "supervisor"  # version 2: where this process goes, since a group with groups below holds none
_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The folders below which each worker gets one; a controller that is not there cannot be used.

    ``unified``: the controllers that are those of version 2. ``elsewhere``: see ``know``.
    """

    parents: Mapping[str, Path] = field(default_factory=dict)  # by controller
    unified: bool = False
    elsewhere: dict[str, tuple[Path, ...]] = field(default_factory=dict, compare=False)  # by uid

    def know(self, uid: str, folders: Iterable[str]) -> None:
        """Groups of a worker that a predecessor made, which may have been in another one itself."""
        own = [folder for _, folder in self._of(uid)]
        found = tuple(path for path in map(Path, folders) if path.name == uid and path not in own)
        if found:
            self.elsewhere[uid] = found

    def make(self, uid: str, cores: str, memory: int) -> tuple[Path, ...]:
        """The groups of a worker: its cores, as a list, and its memory in bytes. OSError where one fails."""
        for controller, folder in self._of(uid):
            folder.mkdir(exist_ok=True)
            if controller == CPUSET:
                _inherit(folder)
                (folder / "cpuset.cpus").write_text(cores)
            elif controller == MEMORY:
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
        """Other cores for a worker; False where no group of its keeps cores."""
        done = False
        for file in (folder / "cpuset.cpus" for folder in self.folders(uid)):
            with suppress(OSError):
                if file.exists():  # opening would make one where the folder is no control group
                    file.write_text(cores)
                    done = True
        return done

    @property
    def complete(self) -> bool:
        """Whether a worker's groups tell its memory and the time that it has used."""
        return MEMORY in self.parents and (self.unified or CPUACCT in self.parents)

    def entries(self, uid: str) -> tuple[Path, ...]:
        """The files that a process of one thread writes 0 into. ``tasks`` moves that thread alone, for which
        the kernel waits for nobody; version 2 has it for whole processes only."""
        name = "cgroup.procs" if self.unified else "tasks"
        own = dict.fromkeys(folder for _, folder in self._of(uid) if folder.is_dir())
        return tuple(folder / name for folder in own)

    def folders(self, uid: str) -> tuple[Path, ...]:
        """The groups of a worker that are there."""
        own = (folder for _, folder in self._of(uid))
        every = dict.fromkeys((*own, *self.elsewhere.get(uid, ())))
        return tuple(folder for folder in every if folder.is_dir())

    def oom_kills(self, uid: str) -> int:
        """How many of its processes the kernel has killed at its memory's limit."""
        names = ("memory.events", "memory.oom_control")  # of version 2, of version 1
        texts = (read(folder / name) for folder in self.folders(uid) for name in names)
        found = (re.search(r"^oom_kill (\d+)$", text, re.MULTILINE) for text in texts)
        return sum(int(each[1]) for each in found if each)

    def remove(self, uid: str) -> bool:
        """Removes its groups. False where one stays that has a process, and may go soon; what stays for
        another reason, such as that this user may not remove it, stays for good."""
        busy = False
        for folder in self.folders(uid):
            try:
                folder.rmdir()
            except OSError as error:
                busy = busy or error.errno == errno.EBUSY
                continue
            if folder in self.elsewhere.get(uid, ()):
                with suppress(OSError):
                    folder.parent.rmdir()  # the predecessor's own, when this was the last one in it
        if not self.folders(uid):
            self.elsewhere.pop(uid, None)
        return not busy

    def close(self) -> None:
        """Removes what holds the groups of workers, where there is none any more."""
        for parent in set(self.parents.values()):
            with suppress(OSError):
                parent.rmdir()

    def known(self) -> set[str]:
        """The uids that have groups."""
        return {
            folder.name for parent in self.parents.values() for folder in parent.iterdir() if folder.is_dir()
        } - {SUPERVISOR} | set(self.elsewhere)

    def _of(self, uid: str) -> Iterator[tuple[str, Path]]:
        for controller, parent in self.parents.items():
            yield controller, parent / uid


def find_cgroups(name: str, root: Path = Path("/")) -> Cgroups:
    """What this user may make; ``name``: of the folder that holds the workers of this supervisor.

    ``root``: where /proc and /sys are.
    """
    own = own_cgroup(root)
    parents = {}
    for controller in (CPUSET, MEMORY, CPUACCT):
        if controller in own.first:
            with suppress(OSError):
                parents[controller] = _make_first(own.first[controller], name)
    if parents or own.second is None:
        return Cgroups(parents)
    with suppress(OSError):
        return Cgroups(_make_second(own.second, name), unified=True)
    return Cgroups()


def folders_of(name: str, root: Path = Path("/")) -> tuple[Path, ...]:
    """Every folder that ``find_cgroups`` may make."""
    own = own_cgroup(root)
    first = [own.first[each] for each in (CPUSET, MEMORY, CPUACCT) if each in own.first]
    second = [] if own.second is None else [_top(own.second)]
    return tuple(folder / name for folder in (*first, *second))


def _make_first(own: Path, name: str) -> Path:
    folder = own / name
    folder.mkdir(exist_ok=True)
    _inherit(folder)
    if not os.access(folder / "tasks", os.W_OK):
        raise PermissionError(folder)
    return folder


def _make_second(own: Path, name: str) -> dict[str, Path]:
    """A group that has processes cannot hand controllers down, so this one's own goes into a group below,
    unless whoever started it has put it there already. OSError where others are in the group as well."""
    top = _top(own)
    there = set(read(top / "cgroup.controllers").split()) & {CPUSET, MEMORY}
    if not there or not os.access(top / "cgroup.subtree_control", os.W_OK):
        return {}
    if top == own and read(own / "cgroup.procs").split() == [str(os.getpid())]:
        (own / SUPERVISOR).mkdir(exist_ok=True)
        (own / SUPERVISOR / "cgroup.procs").write_text("0")
    _hand_down(top, there)
    folder = top / name
    folder.mkdir(exist_ok=True)
    _hand_down(folder, there)
    return dict.fromkeys(sorted(there), folder)


def _top(own: Path) -> Path:
    return own.parent if own.name == SUPERVISOR else own


def _hand_down(folder: Path, controllers: set[str]) -> None:
    missing = controllers - set(read(folder / "cgroup.subtree_control").split())
    if missing:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in sorted(missing)))


def _inherit(folder: Path) -> None:
    """Version 1: a new cpuset is empty, and an empty one takes no process."""
    for name in _CPUSET_FILES:
        file = folder / name
        if file.exists() and not file.read_text().strip():
            above = read(folder.parent / name)
            if above:
                file.write_text(above)
