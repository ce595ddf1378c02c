"""Starts one process: a session of its own, its cores, its control groups, its output into a file.

posix_spawn takes no lock that a thread of ours may hold, unlike code of ours between fork and exec. It has
no way to set cores or control groups, so the thread that spawns takes the cores on first, which a child
inherits, and a shell that then becomes the worker enters the groups: 1 ms, and the number stays the same.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ENTER = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'
_USUAL_FILES = 2
_SHELL = "/bin/sh"
# What Python ignores, and what a shell or systemd may have had this process ignore.
_DEFAULT_SIGNALS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


class CannotExecuteError(OSError):
    """The program is not there, or may not be executed; ``filename`` is its name as it was given."""


@dataclass(frozen=True, slots=True)
class Launch:
    """``entries``: the files by which a process enters its control groups."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    cores: frozenset[int]
    entries: tuple[Path, ...] = ()


def launch(order: Launch) -> int:
    """The number of the new process. CannotExecuteError or another OSError where it cannot be started.

    The calling thread has other cores for the moment, so nobody else may do anything in it.
    """
    program = _program(order)
    words = [program, *order.command[1:]]
    if order.entries:
        entries = [str(file) for file in order.entries]
        words = [_SHELL, "-c", _ENTER, "tidegate-worker", str(len(entries)), *entries, *words]
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, order.cores)
    try:
        return os.posix_spawn(
            words[0],
            words,
            order.environment,
            file_actions=_files(order.log),
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULT_SIGNALS,
        )
    finally:
        os.sched_setaffinity(0, usual)


def keep_files() -> None:
    """What this process was given by whoever started it beyond the usual three stays here: a worker outlives
    it, and would go on holding a lock or a terminal. What Python opens itself stays anyway."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  numbers, not files
        with suppress(OSError):  # the folder that is being listed
            if int(name) > _USUAL_FILES:
                os.set_inheritable(int(name), False)


def _program(order: Launch) -> str:
    found = shutil.which(order.command[0], path=order.environment.get("PATH", os.defpath))
    if found is None:
        there = Path(order.command[0]).exists()
        code = errno.EACCES if there else errno.ENOENT
        raise CannotExecuteError(code, os.strerror(code), order.command[0])
    return found


def _files(log: Path) -> list[tuple[int, ...] | tuple[int, int, str, int, int]]:
    """No input; output to the end of a file, wherever others have cut it off meanwhile."""
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
