"""Folders and files that are expensive to make, kept in the user's cache by a hash of their ingredients."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.binaries import locked
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress


@dataclass(frozen=True)
class Made:
    """One thing to make: `group` names its kind, of which the newest `keep` stay; `key` its ingredients."""

    group: str
    key: str
    about: str  # the progress line
    keep: int = 3

    def path(self, cache: Cache) -> Path:
        """Where it lies when it is made."""
        return cache.root / "layers" / self.group / self.key[:32]


def make_once(cache: Cache, progress: Progress, made: Made, make: Callable[[Path], None]) -> Path:
    """The folder or file that `make` writes at the path it is given; made now only if it is not there yet."""
    path = made.path(cache)
    with locked(path.parent / ".lock", progress):
        if path.exists():
            return path
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        with progress.step(made.about):
            try:
                make(unfinished)
                unfinished.rename(path)
                _forget_oldest(path.parent, made.keep)
            finally:
                _remove(unfinished)
    return path


def _forget_oldest(folder: Path, keep: int) -> None:
    made = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for path in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
