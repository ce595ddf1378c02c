"""The layers of an image, as uncompressed tars that are written in one go and never held in memory.

A layer knows its identity (what it is made of) and its exact size before it is written, so that an image of
several gigabytes goes straight into the container runtime, with no second copy on the disk.
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

    def size(self) -> int:
        """The exact number of bytes that `write` will write."""

    def write(self, out: Writer) -> None:
        """Writes the layer's tar."""


@dataclass(frozen=True)
class TarLayer:
    """A tar that lies on the disk."""

    file: Path
    identity: str

    def size(self) -> int:
        """The file's size."""
        return self.file.stat().st_size

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

    def size(self) -> int:
        """See Layer."""
        return END + sum(_space(entry) for entry, _ in self._entries())

    def write(self, out: Writer) -> None:
        """See Layer."""
        _write(self._entries(), out)

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, Content | None]]:
        names = [*self.files, *(self.folders or {})]
        modes = self.folders or {}
        for folder in sorted(set(_parents(names)) | set(modes)):
            yield _folder(folder, modes.get(folder, 0o755)), None
        for name, content in sorted(self.files.items()):
            yield _entry(name, content, executable=name in self.executable), content


@dataclass(frozen=True)
class TreeLayer:
    """A folder of the disk with all that is in it, at `place` in the image. Owned by root."""

    folder: Path
    place: str
    identity: str

    def size(self) -> int:
        """See Layer."""
        return END + sum(_space(entry) for entry, _ in self._entries())

    def write(self, out: Writer) -> None:
        """See Layer."""
        _write(self._entries(), out)

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, Content | None]]:
        place = self.place.strip("/")
        for folder in [*sorted(_parents([f"{place}/x"]))]:
            yield _folder(folder, 0o755), None
        for path in _walk(self.folder):
            name = f"{place}/{path.relative_to(self.folder)}"
            if path.is_dir() and not path.is_symlink():
                yield _folder(name, 0o755), None
            else:
                content = LinkTo(str(path.readlink())) if path.is_symlink() else path
                yield _entry(name, content, executable=os.access(path, os.X_OK)), content


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
    for path in _walk(folder):
        if "__pycache__" in path.parts or path.is_dir():
            continue
        content = hash_of(LinkTo(str(path.readlink())) if path.is_symlink() else path)
        digest.update(f"{path.relative_to(folder)}\0{os.access(path, os.X_OK)}\0{content}\0".encode())
    return digest.hexdigest()


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def _parents(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        parts = name.split("/")[:-1]
        yield from ("/".join(parts[: count + 1]) for count in range(len(parts)))


def _folder(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    return entry


def _entry(name: str, content: Content, *, executable: bool) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    if isinstance(content, LinkTo):
        entry.type, entry.linkname = tarfile.SYMTYPE, content.target
        return entry
    entry.mode = 0o755 if executable else 0o644
    entry.size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return entry


def _space(entry: tarfile.TarInfo) -> int:
    return len(_header(entry)) + -(-entry.size // BLOCK) * BLOCK


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
