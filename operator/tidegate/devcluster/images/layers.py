"""The layers of an image, as uncompressed tars that are written in one go and never held in memory.

A layer knows its identity (what it is made of) without being read, and writes the same bytes each time, so
that an image of several gigabytes goes straight into the container runtime, with no second copy on the disk.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

BLOCK = 512
END = 2 * BLOCK  # a tar ends with two empty blocks
CHUNK = 1024 * 1024


class Writer(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Takes all of `data`."""


@dataclass(frozen=True)
class LinkTo:
    """The content of a symbolic link."""

    target: str


Content = bytes | Path | LinkTo


class Layer(Protocol):
    """One layer."""

    @property
    def identity(self) -> str:
        """Changes when the content changes."""

    @property
    def stamp(self) -> str:
        """Changes when what lies on the disk was made anew, even of the same ingredients."""

    def write(self, out: Writer) -> None:
        """Writes the layer's tar, each time the same bytes."""


@dataclass(frozen=True)
class TarLayer:
    """A tar that lies on the disk."""

    file: Path
    identity: str

    @property
    def stamp(self) -> str:
        """See Layer."""
        return _stamp(self.file)

    def write(self, out: Writer) -> None:
        """Copies the file."""
        with self.file.open("rb") as source:
            _copy(source, out)


@dataclass(frozen=True)
class FilesLayer:
    """Single files and links: path in the image → content; those in `executable` may be run. Root's."""

    files: Mapping[str, Content]
    executable: frozenset[str] = frozenset()
    folders: Mapping[str, int] | None = None  # empty folders of the image → mode

    @property
    def identity(self) -> str:
        """A hash of names, modes and contents."""
        digest = hashlib.sha256(
            repr((sorted(self.executable), sorted((self.folders or {}).items()))).encode()
        )
        for name, content in sorted(self.files.items()):
            digest.update(f"\0{name}\0".encode())
            digest.update(hash_of(content).encode())
        return digest.hexdigest()

    @property
    def stamp(self) -> str:
        """The identity says it all."""
        return ""

    def write(self, out: Writer) -> None:
        """See Layer."""
        _write(self._entries(), out)

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, Content | None]]:
        names = [*self.files, *(self.folders or {})]
        modes = self.folders or {}
        for folder in sorted(set(_parents(names)) | set(modes)):
            yield _folder(folder, modes.get(folder, 0o755)), None
        for name, content in sorted(self.files.items()):
            size = content.stat().st_size if isinstance(content, Path) else _length(content)
            yield _entry(name, content, size, executable=name in self.executable), content


@dataclass(frozen=True)
class TreeLayer:
    """A folder of the disk with all that is in it, at `place` in the image. Owned by root."""

    folder: Path
    place: str
    identity: str

    @property
    def stamp(self) -> str:
        """See Layer."""
        return _stamp(self.folder)

    def write(self, out: Writer) -> None:
        """See Layer."""
        _write(self._entries(), out)

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, Content | None]]:
        place = self.place.strip("/")
        for folder in [*sorted(_parents([f"{place}/x"]))]:
            yield _folder(folder, 0o755), None
        for name, found in _walk(self.folder, place):
            if found.is_dir(follow_symlinks=False):
                yield _folder(name, 0o755), None
            else:
                yield _found_entry(name, found)


def hash_of(content: Content) -> str:
    """The sha256 of a content, or of a file's content."""
    if isinstance(content, LinkTo):
        return hashlib.sha256(f"-> {content.target}".encode()).hexdigest()
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def hash_of_tree(folder: Path) -> str:
    """A hash of all names, modes and contents below a folder. Bytecode does not count."""
    digest = hashlib.sha256()
    for name, found in _walk(folder, ""):
        if "/__pycache__" in name or found.is_dir(follow_symlinks=False):
            continue
        entry, content = _found_entry(name, found)
        digest.update(f"{name[1:]}\0{entry.mode == 0o755}\0{hash_of(content)}\0".encode())
    return digest.hexdigest()


def _walk(folder: Path | str, place: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All that lies in a folder, by its name under `place`, in an order that is always the same."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = f"{place}/{entry.name}"
        yield name, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, name)


def _found_entry(name: str, found: os.DirEntry[str]) -> tuple[tarfile.TarInfo, Content]:
    if found.is_symlink():
        link = LinkTo(os.readlink(found.path))  # noqa: PTH115  tens of thousands of Path objects cost seconds
        return _entry(name, link, 0, executable=False), link
    status, file = found.stat(), Path(found.path)
    return _entry(name, file, status.st_size, executable=bool(status.st_mode & 0o100)), file


def _length(content: bytes | LinkTo) -> int:
    return len(content) if isinstance(content, bytes) else 0


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_ino} {status.st_mtime_ns}"


def _parents(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        parts = name.split("/")[:-1]
        yield from ("/".join(parts[: count + 1]) for count in range(len(parts)))


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    return entry


def _entry(name: str, content: Content, size: int, *, executable: bool) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    if isinstance(content, LinkTo):
        entry.type, entry.linkname = tarfile.SYMTYPE, content.target
        return entry
    entry.mode = 0o755 if executable else 0o644
    entry.size = size
    return entry


def _header(entry: tarfile.TarInfo) -> bytes:
    return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def _write(entries: Iterable[tuple[tarfile.TarInfo, Content | None]], out: Writer) -> None:
    for entry, content in entries:
        out.write(_header(entry))
        if isinstance(content, bytes):
            _copy(BytesIO(content), out)
        elif isinstance(content, Path):
            with content.open("rb") as source:
                _copy(source, out)
        out.write(bytes(-entry.size % BLOCK))
    out.write(bytes(END))


def _copy(source: BinaryIO, out: Writer) -> None:
    while chunk := source.read(CHUNK):
        out.write(chunk)
