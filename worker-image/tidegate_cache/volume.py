"""What lies where in the cache's volume, and whether a model in it is whole.

::

    models/KEY/           a whole model, with its list of files: it gets this name when all of it is there
    partial/KEY/          one that is being filled, and what a filler that died has left of it
    locks/KEY             held by who fills or removes it; "room" by who makes room
    leases/KEY            its time is when a worker last used the model
    refs/NAME             the key that a branch, or a prefix, had when it was last asked for
    compile/              the engine's own
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from .remote import Snapshot

LIST = ".tidegate.json"
FOLDERS = ("models", "partial", "locks", "leases", "refs", "compile")


class Volume:
    """The folder ``root``; ``place`` is its name in sentences."""

    def __init__(self, root: Path, place: str) -> None:
        self.root = root
        self.place = place

    def prepare(self) -> None:
        """Make the folders. OSError where that cannot be."""
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        probe = self.root / "locks" / f".probe-{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()

    def model(self, key: str) -> Path:
        """Where a whole one lies."""
        return self.root / "models" / key

    def partial(self, key: str) -> Path:
        """Where one is filled."""
        return self.root / "partial" / key

    def lock(self, key: str) -> Path:
        """The file that is locked."""
        return self.root / "locks" / key

    def is_whole(self, key: str) -> bool:
        """Whether every file of its list is there with its size."""
        sizes = read_list(self.model(key))
        return sizes is not None and all(
            size_of(self.model(key) / path) == size for path, size in sizes.items()
        )

    def write_list(self, snapshot: Snapshot) -> None:
        """Say what the model consists of; until it is renamed that is what it shall consist of."""
        folder = self.partial(snapshot.key)
        folder.mkdir(parents=True, exist_ok=True)
        files = {file.path: {"size": file.size, "tag": file.tag} for file in snapshot.files}
        write_whole(folder / LIST, json.dumps({"files": files}, indent=1))

    def finish(self, key: str) -> None:
        """Give a model that is whole its name."""
        self._prune(key)
        self.discard(self.model(key))
        self.partial(key).rename(self.model(key))
        for folder in ("models", "partial"):
            sync(self.root / folder)

    def _prune(self, key: str) -> None:
        """Drafts of somebody who died are no part of the model."""
        folder, sizes = self.partial(key), read_list(self.partial(key)) or {}
        for file in [each for each in folder.rglob("*") if each.is_file() and each != folder / LIST]:
            if str(file.relative_to(folder)) not in sizes:
                file.unlink()

    def discard(self, folder: Path) -> None:
        """Remove a folder: first, at once, its name, then what is in it."""
        if folder.exists():
            gone = self.root / "partial" / f".gone-{uuid.uuid4().hex}"
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what somebody who died was about to remove."""
        for gone in (self.root / "partial").glob(".gone-*"):
            shutil.rmtree(gone, ignore_errors=True)

    def use(self, key: str) -> None:
        """Note that the model is used now."""
        (self.root / "leases" / key).touch()

    def keys(self, folder: str) -> list[str]:
        """The keys in ``models`` or ``partial``."""
        return sorted(each.name for each in (self.root / folder).iterdir() if not each.name.startswith("."))

    def remember(self, name: str, key: str) -> None:
        """The key of what is asked for by a name."""
        write_whole(self.root / "refs" / name, key)

    def remembered(self, name: str) -> str | None:
        """The last key of that name, where its model is whole."""
        try:
            key = (self.root / "refs" / name).read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return key if key and self.is_whole(key) else None


def read_list(folder: Path) -> dict[str, int] | None:
    """Path → size of what a model consists of; None where there is no list that can be read."""
    try:
        files = json.loads((folder / LIST).read_text(encoding="utf-8"))["files"]
        return {str(path): int(each["size"]) for path, each in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_tags(folder: Path) -> dict[str, tuple[int, str]]:
    """Path → size and tag; empty where there is no list that can be read."""
    try:
        files = json.loads((folder / LIST).read_text(encoding="utf-8"))["files"]
        return {str(path): (int(each["size"]), str(each["tag"])) for path, each in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def size_of(file: Path) -> int:
    """Bytes; -1 where there is no such file."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def inodes(folder: Path) -> Iterator[tuple[int, int, int]]:
    """Device, inode and bytes of every file below; of a folder that vanishes meanwhile what was seen."""
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(Path(base, name))
            except OSError:
                continue
            yield found.st_dev, found.st_ino, found.st_size


def write_whole(file: Path, text: str) -> None:
    """Never a half of it, whoever reads."""
    draft = file.with_name(f".{file.name[:64]}-{uuid.uuid4().hex}")
    draft.write_text(text, encoding="utf-8")
    draft.rename(file)


def sync(folder: Path) -> None:
    """Have the names in a folder outlive a loss of power."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
