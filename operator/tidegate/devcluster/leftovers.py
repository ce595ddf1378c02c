"""Everything that a cluster can leave on a machine: found, removed, and found again to be sure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.devcluster.cgroups import Cgroups
from tidegate.devcluster.commands import Runner
from tidegate.devcluster.layout import State
from tidegate.devcluster.mountpoints import MountPoints
from tidegate.devcluster.network import BRIDGE, Links, routes_of_ours
from tidegate.devcluster.processes import PROC, ProcessTable
from tidegate.devcluster.sysctls import Sysctls

BUDGET = 60.0  # seconds in which killed processes, their control groups and links must be gone


@dataclass(frozen=True)
class Leftovers:
    """Finds and removes what belongs to one cluster. Nothing else of the machine is touched.

    Mounts, pods' links, packet rules and what lies in /run belong to a node's namespaces, which end with its
    last process; so processes are what matters. The rest is what the nodes have outside: links, routes,
    control groups, mount points, and mounts that somebody made by hand below the state folder.
    """

    runner: Runner
    state: State
    cgroups: Cgroups
    links: Links = field(default_factory=Links)

    def remove(self) -> list[str]:
        """Removes everything; what is left nevertheless."""
        table = ProcessTable(self.state)
        table.kill_everything()
        self._unmount()
        if self.other_owner() is None:
            self._remove_from_machine()
        return list(self.find())

    def other_owner(self) -> str | None:
        """The state folder of another cluster that runs on this machine now: links and groups are its own."""
        owner = self.links.owner()
        if not owner or owner == str(self.state.root):
            return None
        return owner if ProcessTable(State(Path(owner))).everything() else None

    def find(self) -> Iterator[str]:
        """A line for each thing that is there."""
        for pid in ProcessTable(self.state).everything():
            yield f"process {pid} ({_name(pid)})"
        yield from (f"mount {place}" for place in self._mounts())
        if self.other_owner() is None:
            yield from self._on_machine()

    def _remove_from_machine(self) -> None:
        for link in self.links.ours():
            self.runner.run(["ip", "link", "delete", link], check=False)
        deadline = time.monotonic() + BUDGET
        self.cgroups.remove()
        while self.cgroups.ours() and time.monotonic() < deadline:
            time.sleep(0.05)  # a killed container's group is busy until its last process is reaped
            self.cgroups.remove()
        Sysctls(self.state).restore()
        MountPoints(self.state).remove()

    def _on_machine(self) -> Iterator[str]:
        yield from (f"link {name}" for name in self.links.ours())
        if BRIDGE in self.links.ours():  # routes go with their link
            yield from (f"route {target}" for target in routes_of_ours(self.runner))
        yield from (f"control group {group}" for group in self.cgroups.ours())
        yield from (f"folder {path}" for path in MountPoints(self.state).made() if path.exists())

    def _mounts(self) -> list[str]:
        lines = (PROC / "self" / "mounts").read_text().splitlines()
        places = [line.split()[1].replace("\\040", " ") for line in lines]
        return [place for place in places if Path(place).is_relative_to(self.state.root)]

    def _unmount(self) -> None:
        for place in sorted(self._mounts(), reverse=True):
            self.runner.run(["umount", "--lazy", place], check=False)


def _name(pid: int) -> str:
    try:
        return (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "ended meanwhile"
