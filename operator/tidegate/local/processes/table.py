"""What /proc tells of processes: who is who, whose mark they carry, to which session they belong."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK = "TIDEGATE_WORKER"  # in the environment of each process of a worker: <identity of the folder>:<uid>
PROC = Path("/proc")
# It has ended, or may not be looked at. All else (no more files, no memory) says nothing about a process.
GONE: Final = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True, slots=True)
class Seen:
    """One process as /proc/PID/stat tells it (proc_pid_stat(5)); ``ticks``: its start since the machine's."""

    pid: int
    state: str
    parent: int
    session: int
    ticks: int

    @property
    def ended(self) -> bool:
        """Whether it is only waited for."""
        return self.state in "ZX"


def boot_id() -> str:
    """Another one after each start of the machine; process numbers mean nothing across it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def look_at(pid: int) -> Seen | None:
    """The process with this number now; None where there is none."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except GONE:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    return Seen(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19])) if len(fields) > 19 else None


def everybody() -> Iterator[Seen]:
    """All processes but this one, whosever they are: a worker may become another user."""
    me = os.getpid()
    with os.scandir(PROC) as entries:
        numbers = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    yield from (seen for number in numbers if number != me and (seen := look_at(number)))


def mark_of(pid: int) -> str:
    """The value of its mark; empty where it has none or may not be asked."""
    for variable in _environment(pid).split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == MARK.encode():
            return os.fsdecode(value)
    return ""


def _environment(pid: int) -> bytes:
    with suppress(*GONE):
        try:
            return (PROC / str(pid) / "environ").read_bytes()
        except OSError as error:
            if error.errno != errno.EIO:  # it has given the memory back in which its environment was
                raise
    return b""


def writes_to(pid: int, files: Collection[Path]) -> bool:
    """Whether its output or its errors go to one of these; False where it may not be asked."""
    return any(_is_one(PROC / str(pid) / "fd" / number, files) for number in "12")


def _is_one(opened: Path, files: Collection[Path]) -> bool:
    """The name first: to ask for more could wait for a disk that does not answer."""
    with suppress(OSError):
        name = opened.readlink()
        return name in files and name.samefile(opened)
    return False


def threads_of(pid: int) -> list[int]:
    """The numbers of its threads."""
    with suppress(*GONE):
        return [int(entry.name) for entry in (PROC / str(pid) / "task").iterdir()]
    return []
