"""Starts one process: a session of its own, its cores, its control groups, its output into a file.

posix_spawn takes no lock that a thread of ours may hold, unlike code of ours between fork and exec. It has
no way to set cores, control groups or limits, so the thread that spawns takes the cores on first, which a
child inherits, and a shell that then becomes the worker does the rest: 1 ms, and the number stays the same.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ENTER = (
    '[ -z "$1" ] || ulimit -Sn "$1" || exit 125; n=$2; shift 2; '
    'while [ "$n" -gt 0 ]; do echo 0 > "$1" || exit 125; shift; n=$((n-1)); done; exec "$@"'
)
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
    """``entries``: the files by which a process enters its control groups. ``open_files``: its soft limit of
    open files; None: this process's own."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    cores: frozenset[int]
    entries: tuple[Path, ...] = ()
    open_files: int | None = None


def launch(order: Launch) -> int:
    """The number of the new process. CannotExecuteError or another OSError where it cannot be started.

    The calling thread has other cores for the moment, so nobody else may do anything in it.
    """
    words = _words(order)
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


def _words(order: Launch) -> list[str]:
    """Through a shell that becomes the program, where something must be set before."""
    words = [_program(order), *order.command[1:]]
    if not order.entries and order.open_files is None:
        return words
    entries = [str(file) for file in order.entries]
    limit = "" if order.open_files is None else str(order.open_files)
    return [_SHELL, "-c", _ENTER, "tidegate-worker", limit, str(len(entries)), *entries, *words]


def take_more_files() -> int | None:
    """As many open files as this process may have, since each connection is one; how many it had before, None
    where nothing has changed.

    Workers get that back: a program that may have more than 1024 cannot rely on select(2), and some close
    each number that they may have. Who needs more raises its limit by itself, as vLLM does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return None
    with suppress(OSError, ValueError):  # the kernel may allow less than it tells
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return soft
    return None


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
