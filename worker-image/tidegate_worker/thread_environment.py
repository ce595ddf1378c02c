"""The variables by which the engine's libraries learn of threads and cores, and what wins over them."""

from __future__ import annotations

from collections.abc import Mapping

from .cores import Share
from .threads import Threads, Wishes

BIND = "VLLM_CPU_OMP_THREADS_BIND"
NO_BINDING = "nobind"
ONE_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"
# Who sets one of these places threads by hand. vLLM would write others over them in each worker process,
# unless it is told to bind nothing.
PLACING = (
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_HW_SUBSET",
    "KMP_PLACE_THREADS",
    "OMP_PLACES",
    "OMP_PROC_BIND",
)
# On cores that are not its own a thread must not wait in a loop for its next work: it uses up the quota that
# its brothers compute with, and runs while the one that it waits for does not. Two threads on two crowded
# cores, with a piece of Python between their steps: 13.6 s of processor time and 50 s in all with loops, 2.6
# and 8 s asleep. On cores of its own the loop costs nobody anything and saves the waking.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def wishes_of(environment: Mapping[str, str], workers: int) -> Wishes:
    """What the variables that are set already decide."""
    return Wishes(
        workers=workers,
        threads=_number(environment, "OMP_NUM_THREADS") or None,
        reserved=_number(environment, "VLLM_CPU_NUM_OF_RESERVED_CPU"),
        bind=not any(environment.get(name) for name in PLACING),
    )


def _number(environment: Mapping[str, str], name: str) -> int | None:
    """The number in a variable; None where it is not set or no number (a list for nested teams, say)."""
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None


def cpu_environment(
    threads: Threads, share: Share, wishes: Wishes, environment: Mapping[str, str]
) -> dict[str, str]:
    """vLLM's and OpenMP's variables for a model on CPU.

    With one thread the engine computes in its own process (start and memory of one process less), where
    nothing is bound. With more, vLLM's executor runs each worker in a process of its own and binds its
    threads to the cores that are named, in the runtime's own variable (GOMP_CPU_AFFINITY, KMP_AFFINITY).
    """
    alone = threads.each == 1 and wishes.workers == 1 and BIND not in environment
    chosen = {
        "OMP_NUM_THREADS": str(threads.each),
        "MKL_NUM_THREADS": str(threads.each),
        **_side_pools(threads),
        BIND: binding(threads),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",  # by default vLLM keeps one core free, of one none is left
        ONE_PROCESS: "0" if alone else "1",
    }
    below = share.quota is not None and share.quota < len(share.cpus)
    if below or (wishes.bind and not threads.bound):
        chosen |= PATIENT
    return chosen


def gpu_environment(threads: Threads) -> dict[str, str]:
    """The pools beside a GPU. OpenMP's are left to vLLM: without OMP_NUM_THREADS it takes what cpuset and
    quota allow while it loads weights, and one thread from then on."""
    return _side_pools(threads)


def _side_pools(threads: Threads) -> dict[str, str]:
    """numpy's OpenBLAS makes its pool at the import, a thread for each core, and the engine computes nothing
    with it. The tokenizers' pool (Rust's rayon) works for the API server; on one core it is none."""
    pools = {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": str(threads.each)}
    return pools | ({"TOKENIZERS_PARALLELISM": "false"} if threads.each == 1 else {})


def binding(threads: Threads) -> str:
    """The cores of each worker process as vLLM reads them, ``0,1|2,3``."""
    return "|".join(",".join(map(str, cpus)) for cpus in threads.bound) or NO_BINDING


def kept(chosen: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that were set by somebody else and therefore win: those that differ from what was chosen,
    and those that place threads."""
    named = [name for name, value in chosen.items() if environment.get(name, value) != value]
    placing = [name for name in PLACING if environment.get(name)]
    return {name: environment[name] for name in sorted({*named, *placing})}
