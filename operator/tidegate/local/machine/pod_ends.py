"""How the end of a process is told, as a kubelet tells it."""

from __future__ import annotations

import errno

from tidegate.local.processes.launching import CannotExecuteError
from tidegate.local.worker.pod_state import End, Process

COMPLETED, ERROR, OOM_KILLED, START_ERROR = "Completed", "Error", "OOMKilled", "StartError"
CANNOT_RUN = 128  # a kubelet's exit code of a container whose program cannot be started


def end_of(process: Process, code: int | None, now: float, *, killed: bool) -> End:
    """``killed``: the kernel has killed something of it at its memory's limit. It has no message yet."""
    reason = COMPLETED if code == 0 else OOM_KILLED if killed else ERROR
    return End(process.since, now, code, reason, "")


def cannot_start(error: OSError | ValueError, now: float) -> End:
    """The end of a process that never began; its message is a line as the engine's own."""
    if isinstance(error, ValueError):
        return End(now, now, CANNOT_RUN, START_ERROR, f"ContainerRuntime: {error}")
    if isinstance(error, CannotExecuteError):
        what = "is not there or not on PATH" if error.errno == errno.ENOENT else "may not be executed"
        return End(now, now, CANNOT_RUN, START_ERROR, f"CommandNotFound: {error.filename} {what}")
    return End(
        now, now, CANNOT_RUN, START_ERROR, f"NotStarted: the worker's process was not started: {error}"
    )
