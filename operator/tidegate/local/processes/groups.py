"""All that belongs to a worker: its session, whoever carries its mark, and its control groups."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate.local.processes.cgroups import Cgroups
from tidegate.local.processes.table import Seen, everybody, look_at, mark_of, threads_of, writes_to
from tidegate.local.worker.pod_state import PodState, Process
from tidegate.local.worker.worker_files import WorkerFiles, previous_log


@dataclass(frozen=True, slots=True)
class Group:
    """``mark``: what its processes carry. ``leader``: the first of them, which began a session.

    ``folders``: its control groups, where it has any. ``logs``: the files that its output goes to.
    """

    mark: str
    leader: Process | None = None
    folders: tuple[Path, ...] = ()
    logs: tuple[Path, ...] = ()

    def members(self) -> list[Seen]:
        """Its processes, whosever they are, also those that have ended and that nobody has waited for."""
        confined = _confined(self.folders)
        return [
            each
            for each in everybody()
            if each.pid in confined
            or self._has_in_session(each)
            or (not each.ended and mark_of(each.pid) == self.mark)
        ]

    def _has_in_session(self, seen: Seen) -> bool:
        """The kernel gives no number away that is still a session's. Once leader and session are gone another
        session can have it, and lose its leader too; so without a leader its output is the second proof."""
        if self.leader is None or seen.session != self.leader.pid:
            return False
        leads = look_at(self.leader.pid)
        return writes_to(seen.pid, self.logs) if leads is None else leads.ticks == self.leader.ticks

    def kill(self) -> dict[int, bool]:
        """SIGKILL to all that run: the number of each, and whether this user may end it."""
        return {each.pid: _kill(each) for each in self.members() if not each.ended}

    def pin(self, cores: Collection[int]) -> None:
        """Moves every thread of theirs to these cores."""
        for each in self.members():
            for thread in threads_of(each.pid):
                with suppress(OSError):  # it has ended since
                    os.sched_setaffinity(thread, cores)


def group_of(files: WorkerFiles, cgroups: Cgroups, uid: str, boot: str, state: PodState | None) -> Group:
    """That of a worker; ``state``: None where it has no record."""
    process = state.process if state else None
    leader = process if process and process.boot == boot else None
    log = files.log(state) if state else None
    logs = (log, previous_log(log)) if log else ()
    return Group(files.mark(uid), leader, cgroups.folders(uid), logs)


def _kill(seen: Seen) -> bool:
    """The same process that was seen, and no successor of its number; whether this user may."""
    with suppress(ProcessLookupError):
        held = os.pidfd_open(seen.pid)
        try:
            now = look_at(seen.pid)
            if now is not None and now.ticks == seen.ticks:
                signal.pidfd_send_signal(held, signal.SIGKILL)
        except PermissionError:
            return False
        finally:
            os.close(held)
    return True


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
