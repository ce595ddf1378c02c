"""Which of the free cores a worker is given: whole physical cores of one NUMA node where that can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tidegate.domain.core_list import Cores


@dataclass(frozen=True, slots=True)
class Topology:
    """Where a core is; one that is not named is alone on its physical core, on NUMA node 0."""

    nodes: Mapping[int, int] = field(default_factory=dict)
    physical: Mapping[int, int] = field(default_factory=dict)  # the lowest of the threads that share it

    def node(self, core: int) -> int:
        """Its NUMA node."""
        return self.nodes.get(core, 0)

    def core(self, core: int) -> int:
        """Its physical core."""
        return self.physical.get(core, core)


def choose(free: Cores, count: int, topology: Topology) -> tuple[int, ...] | None:
    """So many of them, in order; None where there are fewer.

    The NUMA node with the fewest free cores that are enough, so that the others stay whole; else the nodes
    with most of them.
    """
    if count > len(free):
        return None
    nodes = _groups(free, topology.node)
    enough = [cores for cores in nodes if len(cores) >= count]
    if enough:
        return tuple(sorted(_of_node(min(enough, key=len), count, topology)))
    found: list[int] = []
    for cores in sorted(nodes, key=len, reverse=True):
        found += _of_node(cores, min(count - len(found), len(cores)), topology)
    return tuple(sorted(found))


def _of_node(free: list[int], count: int, topology: Topology) -> list[int]:
    """Whole physical cores while they fit; the rest from those that are split already."""
    found: list[int] = []
    for threads in sorted(_groups(free, topology.core), key=len, reverse=True):
        if len(threads) <= count - len(found):
            found += threads
    spare = sorted(_groups(set(free) - set(found), topology.core), key=len)
    rest = [core for threads in spare for core in threads]
    return found + rest[: count - len(found)]


def _groups(cores: Iterable[int], of: Callable[[int], int]) -> list[list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for core in sorted(cores):
        found[of(core)].append(core)
    return list(found.values())
