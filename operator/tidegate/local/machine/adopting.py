"""What a predecessor left: workers that still run go on, of all others nothing stays."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from tidegate.local.machine.pod_ends import end_of
from tidegate.local.processes.cgroups import Cgroups
from tidegate.local.processes.group_ends import not_ended
from tidegate.local.processes.group_folders import COUNTED_SECONDS
from tidegate.local.processes.groups import group_of
from tidegate.local.processes.table import Seen, everybody, look_at, mark_of
from tidegate.local.worker.pod_state import PodState, Process
from tidegate.local.worker.worker_files import WorkerFiles

_logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.01  # between two looks at what was killed
CLEAR_SECONDS = 30.0  # for all that a predecessor left to end


@dataclass(frozen=True, slots=True)
class Survey:
    """``marked``: the processes that run and carry a mark of this state folder, by uid."""

    boot: str
    now: float
    marked: dict[str, list[Seen]]

    def leader(self, uid: str) -> Process | None:
        """The first process of a worker whose supervisor was killed before it wrote down its number: it leads
        a session, and none of the worker's is its parent."""
        seen = self.marked.get(uid, [])
        numbers = {each.pid for each in seen}
        first = [each for each in seen if each.session == each.pid and each.parent not in numbers]
        found = min(first, key=lambda each: each.ticks, default=None)
        return Process(found.pid, found.ticks, self.boot, _began(found, self.now)) if found else None

    def runs(self, process: Process) -> bool:
        """Whether this very process does."""
        seen = look_at(process.pid) if process.boot == self.boot else None
        return seen is not None and seen.ticks == process.ticks and not seen.ended


def _began(seen: Seen, now: float) -> float:
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - seen.ticks / os.sysconf("SC_CLK_TCK")
    return now - max(0.0, age)


def judge(state: PodState, survey: Survey) -> PodState | None:
    """What becomes of a worker with this record; None: nobody wants it any more.

    One that runs goes on. One whose process is gone is told as failed, with its cause: what it is started
    from holds secrets and was not written down.
    """
    if state.failed or state.boot != survey.boot:
        return None
    process = state.process or survey.leader(state.uid)
    if process is not None and state.placement is not None and survey.runs(process):
        return state if state.process else state.begun(process)
    if state.gone_by is not None:
        return None
    if state.process is not None:
        return state.ended(end_of(state.process, None, survey.now, killed=False)).given_up()
    return state.given_up() if state.last_end else None


async def take_over(files: WorkerFiles, cgroups: Cgroups, boot: str, now: float) -> list[PodState]:
    """See adopt. Where it is cancelled, nothing of it goes on: another one may be the next to adopt."""
    stop = threading.Event()
    adopting = asyncio.ensure_future(asyncio.to_thread(adopt, files, cgroups, boot, now, stop))
    try:
        return await asyncio.shield(adopting)
    finally:
        stop.set()
        await asyncio.wait((adopting,))


def adopt(
    files: WorkerFiles, cgroups: Cgroups, boot: str, now: float, stop: threading.Event
) -> list[PodState]:
    """The workers that are there, oldest first. It waits until of all others nothing is left;
    what does not end is told, and its record stays for the next time."""
    found = []
    survey = Survey(boot, now, _marked(files))
    records = {uid: state for uid, state in files.records() if state and state.uid == uid}
    for state in records.values():
        judged = judge(state, survey)
        if judged and judged.failed and judged.last_end and state.process:
            said = files.last_words(state, failed=True)
            judged = replace(judged, last_end=replace(judged.last_end, message=said))
        if judged:
            found.append(judged)
    adopted = {each.uid for each in found if each.process}
    left = _clear(Strays(files, cgroups, boot, records, adopted), CLEAR_SECONDS, stop)
    if not stop.is_set():
        files.clear({each.uid for each in found} | left)
    return sorted(found, key=lambda each: (each.created, each.name))


def _marked(files: WorkerFiles) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {}
    for seen in everybody():
        uid = "" if seen.ended else files.marked(mark_of(seen.pid))
        if uid:
            found.setdefault(uid, []).append(seen)
    return found


@dataclass(frozen=True, slots=True)
class Strays:
    """Whatever carries a mark, or is in a group or a session, of a worker that was not adopted."""

    files: WorkerFiles
    cgroups: Cgroups
    boot: str
    records: Mapping[str, PodState]
    adopted: Collection[str]

    def kill(self) -> dict[str, dict[int, bool]]:
        """Those of each worker that still run, and whether this user may end them."""
        begun = (uid for uid, state in self.records.items() if state.process)
        known = {*_marked(self.files), *self.cgroups.known(), *begun}
        return {uid: left for uid in known.difference(self.adopted) if (left := self._kill(uid))}

    def give_back(self, left: Collection[str]) -> bool:
        """Removes the groups of those of which nothing is left; whether none stays that may go soon."""
        over = self.cgroups.known().difference(self.adopted, left)
        stay = [uid for uid in over if not self.cgroups.remove(uid)]
        return not stay

    def _kill(self, uid: str) -> dict[int, bool]:
        group = group_of(self.files, self.cgroups, uid, self.boot, self.records.get(uid))
        return group.kill()


def _clear(strays: Strays, seconds: float, stop: threading.Event) -> set[str]:
    """Ends them; the workers of which something does not end in that time, which is told."""
    deadline = time.monotonic() + seconds
    while left := strays.kill():
        if time.monotonic() > deadline:
            for processes in left.values():
                _logger.error("of a worker that a predecessor left: %s", not_ended(processes))
            break
        if stop.wait(LOOK_SECONDS):
            break
    deadline = time.monotonic() + COUNTED_SECONDS
    while not strays.give_back(left) and time.monotonic() < deadline and not stop.wait(LOOK_SECONDS):
        pass
    return set(left)
