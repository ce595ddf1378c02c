"""How many threads to compute with and where: pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .cores import Share, parse_cpus

TOPOLOGY = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class Threads:
    """``bound`` names a core for each thread; empty: the scheduler chooses."""

    count: int
    bound: tuple[int, ...]


def plan_threads(share: Share, siblings: Mapping[int, frozenset[int]]) -> Threads:
    """One thread for each physical core, bound to it where all cores of the cpuset are ours to use up.

    A quota below the cpuset means that the cores are shared: binding would then wait for a busy
    core while another is free, and more threads than the quota's cores would be throttled. Two
    hyperthreads of one core share its arithmetic units, so a second thread only gets in the way.
    """
    whole = share.quota is None or share.quota >= len(share.cpus)
    if not whole:
        return Threads(max(1, int(share.quota or 1)), ())
    seen: set[int] = set()
    cores = []
    for cpu in share.cpus:
        if cpu not in seen:
            cores.append(cpu)
        seen |= siblings.get(cpu, frozenset({cpu}))
    return Threads(len(cores), tuple(cores))


def read_siblings(cpus: tuple[int, ...], topology: Path = TOPOLOGY) -> dict[int, frozenset[int]]:
    """For each of these cpus the hyperthreads of its physical core; unknown ones are left out."""
    found = {}
    for cpu in cpus:
        file = topology / f"cpu{cpu}/topology/thread_siblings_list"
        if file.is_file():
            found[cpu] = frozenset(parse_cpus(file.read_text()))
    return found


def cpu_environment(threads: Threads, workers: int) -> dict[str, str]:
    """vLLM's and OpenMP's variables for a model on CPU that runs in ``workers`` processes.

    With one thread the engine computes in its own process (start and memory of one process less).
    With more, vLLM's executor runs each worker in a process of its own, bound to its cores.
    """
    each = max(1, threads.count // workers)
    alone = threads.count == 1 and workers == 1
    return {
        "OMP_NUM_THREADS": str(each),
        "MKL_NUM_THREADS": str(each),
        "VLLM_CPU_OMP_THREADS_BIND": _binding(threads.bound, workers, each),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",  # by default vLLM keeps one core free, of one none is left
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0" if alone else "1",
    }


def _binding(bound: tuple[int, ...], workers: int, each: int) -> str:
    """The cores of each worker, ``0,1|2,3``; ``nobind`` where there are too few or none to name."""
    if len(bound) < workers:
        return "nobind"
    return "|".join(",".join(map(str, bound[at * each : (at + 1) * each])) for at in range(workers))
