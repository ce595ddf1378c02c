"""The control groups below which a node's pods run: /tidegate-devcluster/<node> in every hierarchy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.errors import ClusterError

ROOT = Path("/sys/fs/cgroup")
OURS = "tidegate-devcluster"
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


@dataclass(frozen=True)
class Cgroups:
    """Makes and removes control groups, of version 1 and 2."""

    root: Path = ROOT

    def path(self, node: str) -> str:
        """The kubelet's `cgroupRoot` of a node."""
        return f"/{OURS}/{node}"

    def make(self, node: str) -> None:
        """Makes the groups of a node. ClusterError where this machine does not allow it."""
        try:
            self._make(node)
        except OSError as error:
            raise ClusterError(
                f"cannot make control groups under {self.root}: {error.strerror}; the embedded cluster needs "
                "a whole machine, or a privileged container"
            ) from error

    def _make(self, node: str) -> None:
        for hierarchy in self._hierarchies():
            parent = hierarchy
            for name in (OURS, node):
                _delegate(parent)
                group = parent / name
                group.mkdir(exist_ok=True)
                _inherit_cpuset(parent, group)
                parent = group
            _delegate(parent)

    def ours(self) -> list[Path]:
        """Every group of ours that exists, the innermost first."""
        groups = [group for hierarchy in self._hierarchies() for group in _tree(hierarchy / OURS)]
        return sorted(groups, key=lambda group: len(group.parts), reverse=True)

    def remove(self) -> None:
        """Removes our groups. One that still has a process stays (and `ours` names it)."""
        for group in self.ours():
            try:
                group.rmdir()
            except OSError:
                continue

    def _hierarchies(self) -> Iterator[Path]:
        if (self.root / "cgroup.controllers").exists():
            yield self.root
            return
        for folder in sorted(self.root.iterdir()):
            if folder.is_dir() and not folder.is_symlink() and (folder / "cgroup.procs").exists():
                yield folder


def _delegate(group: Path) -> None:
    """Version 2: hands every controller down to the groups below. (Version 1 has no such file.)"""
    control = group / "cgroup.subtree_control"
    if control.exists():
        names = (group / "cgroup.controllers").read_text().split()
        control.write_text(" ".join(f"+{name}" for name in names))


def _inherit_cpuset(parent: Path, group: Path) -> None:
    """Version 1: a new cpuset is empty, and an empty one takes no process."""
    for name in CPUSET_FILES:
        file = group / name
        if file.exists() and not file.read_text().strip() and (parent / name).exists():
            file.write_text((parent / name).read_text())


def _tree(group: Path) -> Iterator[Path]:
    if group.is_dir():
        yield group
        yield from (path for path in group.rglob("*") if path.is_dir())
