"""The development cluster under a benchmark: brought up where none is up, and gone again afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.e2e.conftest import TOOL
from tidegate.devcluster.layout import State
from tidegate.devcluster.processes import ProcessTable, is_alive, program_of

DAEMONS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")


@contextmanager
def brought_up(images: Sequence[str], *up: str) -> Iterator[None]:
    """The cluster with these images; ``up``: more arguments for the tool. A cluster of another mode than is
    asked for is refused by the tool."""
    asked = subprocess.run([*TOOL, "status"], stdout=subprocess.DEVNULL, timeout=60, check=False)
    try:
        tool("up", *up, timeout=3000)
        tool("images", *images, timeout=3000)
        yield
    finally:
        if asked.returncode:
            tool("down", timeout=300)


def tool(*arguments: str, timeout: float) -> None:
    """The development cluster's tool; SystemExit where it fails, its own words are on stderr."""
    done = subprocess.run([*TOOL, *arguments], stdout=sys.stderr, timeout=timeout, check=False)
    if done.returncode:
        raise SystemExit(f"tidegate.devcluster {' '.join(arguments)} ended with {done.returncode}")


def confine(state: State) -> None:
    """Puts the cluster's daemons and this process on the first core, as CPUAffinity= does for a system's.

    The static policy keeps other pods off an exclusive core, not what runs outside of pods. (containerd stays
    as it is: containers would inherit it.)
    """
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    for record in ProcessTable(state).records():
        if record.name.rpartition(".")[2] in DAEMONS and is_alive(record):
            words = ["taskset", "-a", "-p", "-c", str(core), str(program_of(record))]
            subprocess.run(words, stdout=subprocess.DEVNULL, check=False)
