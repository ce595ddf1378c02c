"""Folders that are expensive to make: made once, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = ".made-from"


def cache_folder() -> Path:
    """The user's cache folder for this project; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tidegate"


def model_folder(name: str) -> Path:
    """Where a model lies by default."""
    return cache_folder() / "models" / name


@contextmanager
def making(folder: Path, made_from: str) -> Iterator[Path | None]:
    """An empty folder to fill, which takes the place of ``folder`` when the block ends without an error.

    None where ``folder`` was made from just this before. A killed attempt leaves the old folder as
    it was; of two at once the second waits for the first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _mark(folder) == made_from:
            yield None
            return
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        yield part
        (part / MARK).write_text(made_from, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)


def _mark(folder: Path) -> str | None:
    mark = folder / MARK
    return mark.read_text(encoding="utf-8") if mark.is_file() else None
