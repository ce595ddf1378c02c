"""What to do about a failure where the worker is a process of somebody's machine: there are no pods there."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace

from .engine_ends import ADVICE
from .failure import Failure
from .own_cgroup import PROCESS_VARIABLE
from .reasons import (
    NO_ACCELERATOR,
    NO_SHARED_MEMORY,
    NO_SPACE,
    NOT_WRITABLE,
    PORT_IN_USE,
    READ_LOG,
    UNSUPPORTED,
)

_MAKE_ROOM = "Make room on the disk that is named."
HERE: Mapping[str, str] = {
    READ_LOG.advice: "",  # tidegate explain names the command with the service's name
    NO_ACCELERATOR.advice: "Check the driver (nvidia-smi) and resources.accelerator.",
    UNSUPPORTED.advice: "Take another model or another type, or a vLLM that knows it.",
    NO_SPACE.advice: _MAKE_ROOM,
    NO_SHARED_MEMORY.advice: _MAKE_ROOM,
    NOT_WRITABLE.advice: "Give this user the right to write there, or name another folder.",
    PORT_IN_USE.advice: "End the process that listens on that port of every address of this machine.",
    ADVICE[signal.SIGILL]: "This CPU lacks instructions that vLLM was built for: take another build of it.",
    ADVICE[signal.SIGKILL]: "See whether this machine ran out of memory, or who killed it.",
    ADVICE[signal.SIGBUS]: "If /dev/shm was full make room there; otherwise a file could not be read.",
}


def advised(failure: Failure, environment: Mapping[str, str]) -> Failure:
    """The failure with advice that can be followed where the worker runs."""
    if not environment.get(PROCESS_VARIABLE):
        return failure
    return replace(failure, advice=HERE.get(failure.advice, failure.advice))
