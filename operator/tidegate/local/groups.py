"""All that belongs to a worker: its session, whoever carries its mark, and its control groups."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.local.processes import Seen, everybody, look_at, mark_of, threads_of


@dataclass(frozen=True, slots=True)
class Group:
    """``mark``: what its processes carry. ``leader``: the first of them, which began a session; 0: unknown.

    ``folders``: its control groups, where it has any.
    """

    mark: str
    leader: int = 0
    folders: tuple[Path, ...] = ()

    def members(self) -> list[Seen]:
        """Its processes, also those that have ended and that nobody has waited for.

        A session's number alone proves nothing once its leader was waited for; call it before that.
        """
        confined = _confined(self.folders)
        return [
            each
            for each in everybody()
            if each.pid in confined
            or (self.leader and each.session == self.leader)
            or (not each.ended and mark_of(each.pid) == self.mark)
        ]

    def kill(self) -> bool:
        """SIGKILL to all that run; whether there were any but the leader that is waited for."""
        alive = [each for each in self.members() if not each.ended]
        for each in alive:
            _kill(each)
        return bool(alive)

    def pin(self, cores: Collection[int]) -> None:
        """Moves every thread of theirs to these cores."""
        for each in self.members():
            for thread in threads_of(each.pid):
                with suppress(OSError):  # it has ended since
                    os.sched_setaffinity(thread, cores)


def _kill(seen: Seen) -> None:
    """The same process that was seen, and no successor of its number."""
    with suppress(ProcessLookupError, PermissionError):
        held = os.pidfd_open(seen.pid)
        try:
            now = look_at(seen.pid)
            if now is not None and now.ticks == seen.ticks:
                signal.pidfd_send_signal(held, signal.SIGKILL)
        finally:
            os.close(held)


def _confined(folders: Collection[Path]) -> set[int]:
    found: set[int] = set()
    for folder in folders:
        with suppress(OSError):
            found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    return found


def reap_orphans(before: Collection[int]) -> set[int]:
    """Waits for ended processes that were handed to this one because it is the first of its container.

    ``before``: what it returned the last time. Those that are new are only returned: of a worker's own
    process somebody else wants the exit code, and has asked for it by the next time. Children within this
    process's own session are others' business.
    """
    if os.getpid() != 1:
        return set()
    session = os.getsid(0)
    mine = (each for each in everybody() if each.ended and each.parent == 1)
    orphans = {each.pid for each in mine if each.session != session}
    for pid in orphans.intersection(before):
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return orphans
