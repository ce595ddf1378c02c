"""How many threads to compute with, and on which cores: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from .cores import Share
from .topology import Topology

# A worker with so many cores leaves one of them to the engine's scheduler, its API server and the kernel.
# vLLM's scheduler looks for a worker's answer without a pause while the worker computes, so on a core of its
# own it holds nobody up, and beside a thread it takes half of that thread's core: all threads of a step wait
# for the slowest. Of three cores two are then worth 2 and three are worth 3 * 1/2.
CORES_TO_SPARE_ONE = 3


@dataclass(frozen=True, slots=True)
class Threads:
    """``each``: threads of one worker process. ``bound``: for each worker process the cores of its threads;
    empty: the scheduler chooses."""

    each: int
    bound: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has decided already. ``workers``: processes that compute. ``threads``: of each worker.
    ``reserved``: cores that stay free. None: the plan decides."""

    workers: int = 1
    threads: int | None = None
    reserved: int | None = None
    bind: bool = True


def plan_threads(share: Share, topology: Topology, wishes: Wishes) -> Threads:
    """As many threads as there are whole cores, bound where the cores are ours to use up.

    A quota below the cpuset means that the cores are shared: binding would then wait for a busy core while
    another is free, and more threads than the quota's cores would be throttled. The same holds for a cpuset
    that is simply the whole machine, until several workers or NUMA nodes are to be kept apart. Where the
    kernel does not move threads between cores, unbound ones would all stay on one.
    """
    cores = topology.cores_by_node(share.cpus)
    usable = _usable(share, sum(map(len, cores)))
    sets = _placed(cores, wishes.workers, usable, _reserved(share, usable, wishes))
    each = wishes.threads or (len(sets[0]) if sets else max(1, usable // wishes.workers))
    bound = tuple(tuple(cpus[:each]) for cpus in sets if len(cpus) >= each)
    if len(bound) < wishes.workers or not wishes.bind or not _ours(share, len(cores), wishes.workers):
        return Threads(wishes.threads or max(1, _unbound(share, usable, wishes) // wishes.workers))
    return Threads(each, bound)


def _usable(share: Share, cores: int) -> int:
    """Whole cores that the quota pays for, at least one."""
    quota = cores if share.quota is None else int(share.quota + 1e-6)  # 3 * 0.1 is a little less than 0.3
    return max(1, min(cores, quota))


def _unbound(share: Share, usable: int, wishes: Wishes) -> int:
    return usable - (wishes.reserved or 0) if share.quota is None else usable


def _ours(share: Share, nodes: int, workers: int) -> bool:
    if not share.balanced:
        return True
    whole = share.quota is None or share.quota >= len(share.cpus)
    return whole and (share.singled_out or nodes > 1 or workers > 1)


def _reserved(share: Share, usable: int, wishes: Wishes) -> int:
    """Cores for everything that does not compute; hyperthreads that nobody computes on serve as well."""
    if wishes.reserved is not None:
        return wishes.reserved
    spare = len(share.cpus) > usable
    return 0 if spare or usable // wishes.workers < CORES_TO_SPARE_ONE else 1


def _placed(cores: list[list[int]], workers: int, usable: int, reserved: int) -> list[list[int]]:
    """A set of cores for each worker, all of one size and, where it can be, each on one NUMA node.

    Workers of one step wait for the slowest, so equal sizes lose least, and a worker's memory is on the node
    of its first core. To keep to one node may leave cores unused. Where that would be more than half of them,
    nodes are mixed: a model is bound by memory, and from another node that comes at half the pace or more.
    """
    most = min(usable, sum(map(len, cores)) - reserved) // workers
    near = next((size for size in range(most, 0, -1) if _fit(cores, size) >= workers), 0)
    if 2 * near < most:
        cores, near = [list(chain.from_iterable(cores))], most
    if near == 0:
        return []
    # the node with most cores first: what it cannot give in whole sets is what stays free
    order = cores if workers > 1 else sorted(cores, key=len, reverse=True)
    sets = chain.from_iterable(_cut(node, near) for node in order)
    return [cpus for cpus, _ in zip(sets, range(workers), strict=False)]


def _fit(cores: Iterable[list[int]], size: int) -> int:
    return sum(len(node) // size for node in cores)


def _cut(cpus: list[int], size: int) -> list[list[int]]:
    return [cpus[at : at + size] for at in range(0, len(cpus) - size + 1, size)]
