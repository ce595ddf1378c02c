"""The processes that carry the mark of one state folder, as the kernel lists them."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

MARK = "TIDEGATE_WORKER"


@dataclass(frozen=True)
class Marked:
    """One process of a worker; ``worker``: the uid of its pod, ``began``: clock ticks since the boot, so that
    a number which is used again is another process. Its parent may end, and it stays the same."""

    number: int
    began: int
    parent: int = field(compare=False)
    worker: str

    def kill(self) -> None:
        """SIGKILL, as the kernel sends it where memory ends; nothing where it has gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)


def marked(state: Path) -> list[Marked]:
    """Those of the workers that belong to a state folder; a process that has ended and was not waited for has
    no environment any more, and is none of them."""
    if not (file := state / "identity").exists():
        return []
    prefix = f"{MARK}={file.read_text().strip()}:".encode()
    found = [_read(folder, prefix) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [process for process in found if process is not None]


def leaders(state: Path) -> list[Marked]:
    """The first process of each worker: the one whose parent is none of the worker's."""
    found = marked(state)
    numbers = {process.number for process in found}
    return [process for process in found if process.parent not in numbers]


def _read(folder: Path, prefix: bytes) -> Marked | None:
    try:
        variables = (folder / "environ").read_bytes().split(b"\0")
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile, or is another user's
        return None
    mark = next((each for each in variables if each.startswith(prefix)), None)
    if mark is None:
        return None
    return Marked(int(folder.name), int(stat[19]), int(stat[1]), mark.removeprefix(prefix).decode())
