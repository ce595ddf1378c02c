"""The folders that hold the groups of workers: removed once they are empty, a predecessor's elsewhere too."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from tidegate.local.processes.cgroups import Cgroups

_logger = logging.getLogger(__name__)

# The kernel counts a process that has ended until it has switched away from it for the last time, and a group
# with one cannot be removed: rmdir(2) says EBUSY for some milliseconds, longer where the cores are taken.
COUNTED_SECONDS = 5.0
LOOK_SECONDS = 0.01


async def remove_groups(cgroups: Cgroups, uid: str) -> None:
    """Those of a worker of which all has ended. One that has a process after all, or that this user may not
    remove, stays, which is no reason to keep anybody waiting for longer."""
    for _ in range(int(COUNTED_SECONDS / LOOK_SECONDS)):
        if cgroups.remove(uid):
            return
        await asyncio.sleep(LOOK_SECONDS)


def is_group(folder: Path) -> bool:
    """Whether the kernel shows a control group there; what is no folder is none. OSError."""
    return any((folder / each).exists() for each in ("cgroup.procs", "tasks"))


class GroupFolders:
    """One path in each line of a file that outlives every supervisor: the next one may be in another group
    itself, such as another session's, and would not find them.

    ``name``: of every such folder. The file may have been torn or edited: nothing else of it is believed.
    """

    def __init__(self, file: Path, name: str, is_group: Callable[[Path], bool] = is_group) -> None:
        self._file = file
        self._name = name
        self._is_group = is_group

    def add(self, folders: Iterable[Path]) -> None:
        """Before they are made. Where they cannot be written down they are made all the same."""
        known = self._known()
        try:
            self._write(dict.fromkeys((*known, *map(str, folders))))
        except OSError as error:
            _logger.warning("a successor would not find control groups of this one: %s", error)

    def remove(self, keep: Collection[Path] = ()) -> None:
        """All of them but those in ``keep``, with the groups in them. Where a process is in one the kernel
        keeps it, and it stays known."""
        known = self._known()
        for folder in map(Path, known):
            if folder not in keep and self._is_there(folder):
                _remove(folder)
        left = [each for each in known if self._is_there(Path(each))]
        if left != known:
            with suppress(OSError):  # one that is not there is looked for once more
                self._write(left)

    def _known(self) -> list[str]:
        with suppress(OSError):
            lines = self._file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
            return [each for each in lines if self._may_be(each)]
        return []

    def _is_there(self, folder: Path) -> bool:
        with suppress(OSError):
            return self._is_group(folder)
        return False

    def _may_be(self, line: str) -> bool:
        return "\0" not in line and line.startswith("/") and Path(line).name == self._name

    def _write(self, folders: Iterable[str]) -> None:
        beside = self._file.with_suffix(".new")
        with open(beside, "w", encoding="utf-8", errors="surrogateescape", opener=_for_this_user) as opened:
            opened.writelines(f"{each}\n" for each in folders)
        beside.replace(self._file)


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for group in [each for each in folder.iterdir() if each.is_dir()]:
            with suppress(OSError):
                group.rmdir()
        folder.rmdir()
