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

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .remote import Snapshot

LIST = ".tidegate.json"
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)  # what a rename to a folder that has something in it says
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
        return _has_all(self.model(key))

    def write_list(self, snapshot: Snapshot) -> None:
        """Say what the model consists of; until it is renamed that is what it shall consist of."""
        folder = self.partial(snapshot.key)
        folder.mkdir(parents=True, exist_ok=True)
        files = {file.path: {"size": file.size, "tag": file.tag} for file in snapshot.files}
        write_whole(folder / LIST, json.dumps({"files": files}, indent=1))

    def finish(self, key: str) -> None:
        """Give a model its name, unless another filler, where locks do not hold, has done so before.

        FileNotFoundError where not all of it is here: the other filler has taken it.
        """
        if self.is_whole(key):
            self.discard(self.partial(key))
            return
        if not _has_all(self.partial(key)):
            sentence = "not all of it is here, or another filler has moved it"
            raise FileNotFoundError(errno.ENOENT, sentence, str(self.partial(key)))
        self._prune(key)
        self._give_name(key)
        for folder in ("models", "partial"):
            sync(self.root / folder)

    def _give_name(self, key: str) -> None:
        """A rename never takes the place of a folder that has something in it."""
        try:
            self.partial(key).rename(self.model(key))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            if self.is_whole(key):
                self.discard(self.partial(key))
                return
            self.discard_broken(key)
            self.partial(key).rename(self.model(key))

    def _prune(self, key: str) -> None:
        """Drafts of somebody who died are no part of the model."""
        folder, sizes = self.partial(key), read_list(self.partial(key)) or {}
        for file in [each for each in folder.rglob("*") if each.is_file() and each != folder / LIST]:
            if str(file.relative_to(folder)) not in sizes:
                file.unlink(missing_ok=True)

    def discard(self, folder: Path) -> None:
        """Remove a folder: first, at once, its name, then what is in it."""
        with suppress(FileNotFoundError):  # it is gone already
            shutil.rmtree(self._moved_away(folder), ignore_errors=True)

    def discard_broken(self, key: str) -> None:
        """Remove what has a model's name and is no whole one.

        It is looked at again when nobody can get at it: where locks do not hold another filler may just have
        put a whole one there.
        """
        with suppress(FileNotFoundError):
            gone = self._moved_away(self.model(key))
            if _has_all(gone):
                with suppress(OSError):
                    gone.rename(self.model(key))
            shutil.rmtree(gone, ignore_errors=True)

    def _moved_away(self, folder: Path) -> Path:
        return folder.rename(self.root / "partial" / f".gone-{uuid.uuid4().hex}")

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
    tags = read_tags(folder)
    return None if tags is None else {path: size for path, (size, _) in tags.items()}


def read_tags(folder: Path) -> dict[str, tuple[int, str]] | None:
    """Path → size and tag; None where there is no list that can be read."""
    try:
        files = json.loads((folder / LIST).read_text(encoding="utf-8"))["files"]
        return {str(path): (int(each["size"]), str(each["tag"])) for path, each in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _has_all(folder: Path) -> bool:
    """Whether there is a list, and every file of it with its size."""
    sizes = read_list(folder)
    return sizes is not None and all(size_of(folder / path) == size for path, size in sizes.items())


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
