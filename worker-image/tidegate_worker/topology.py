"""How the machine's cores belong together: hyperthreads of one core, cores of one NUMA node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .cgroups import first_text
from .cores import parse_cpus

SYSTEM = Path("/sys/devices/system")


@dataclass(frozen=True, slots=True)
class Topology:
    """For each cpu that is known the hyperthreads of its core, itself among them, and its NUMA node."""

    siblings: dict[int, frozenset[int]] = field(default_factory=dict)
    nodes: dict[int, int] = field(default_factory=dict)

    def cores_by_node(self, cpus: Iterable[int]) -> list[list[int]]:
        """One cpu for each physical core, the one with the lowest number, by NUMA node, both in order.

        Two hyperthreads of one core share its arithmetic units: a second thread only gets in the way.
        """
        seen: set[int] = set()
        cores: dict[int, list[int]] = {}
        for cpu in sorted(cpus):
            if cpu not in seen:
                cores.setdefault(self.nodes.get(cpu, 0), []).append(cpu)
            seen |= self.siblings.get(cpu, frozenset({cpu}))
        return [cores[node] for node in sorted(cores)]


def read_topology(cpus: Iterable[int], system: Path = SYSTEM) -> Topology:
    """What the machine tells of these cpus; a machine that tells nothing has single cores on one node."""
    found = Topology()
    for cpu in cpus:
        told = first_text([system / f"cpu/cpu{cpu}/topology"], "thread_siblings_list")
        if told:
            found.siblings[cpu] = frozenset(parse_cpus(told))
    for folder in system.glob("node/node[0-9]*"):
        for cpu in parse_cpus(first_text([folder], "cpulist")):
            found.nodes[cpu] = int(folder.name.removeprefix("node"))
    return found
