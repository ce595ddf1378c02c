"""The folders that hold the groups of workers: removed once they are empty, a predecessor's elsewhere too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from tidegate.local.processes.cgroups import Cgroups

_logger = logging.getLogger(__name__)

# The kernel counts a process that has ended until it has switched away from it for the last time, and a group
# with one cannot be removed: rmdir(2) says EBUSY for some milliseconds, longer where the cores are taken.
COUNTED_SECONDS = 5.0
LOOK_SECONDS = 0.01


async def remove_groups(cgroups: Cgroups, uid: str) -> None:
    """Those of a worker of which all has ended. One that has a process after all stays, which is no reason to
    keep anybody waiting for longer."""
    for _ in range(int(COUNTED_SECONDS / LOOK_SECONDS)):
        if cgroups.remove(uid):
            return
        await asyncio.sleep(LOOK_SECONDS)


class GroupFolders:
    """One path in each line of a file that outlives every supervisor: the next one may be in another group
    itself, such as another session's, and would not find them."""

    def __init__(self, file: Path) -> None:
        self._file = file

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
            if folder not in keep:
                _remove(folder)
        left = [each for each in known if Path(each).is_dir()]
        if left != known:
            with suppress(OSError):  # one that is not there is looked for once more
                self._write(left)

    def _known(self) -> list[str]:
        with suppress(OSError):
            return self._file.read_text(encoding="utf-8").splitlines()
        return []

    def _write(self, folders: Iterable[str]) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text("".join(f"{each}\n" for each in folders), encoding="utf-8")
        beside.replace(self._file)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for group in [each for each in folder.iterdir() if each.is_dir()]:
            with suppress(OSError):
                group.rmdir()
        folder.rmdir()
