"""What a source of models is: a list of files of one version, and the bytes of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from .causes import NOT_FOUND, FillError


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file. ``path`` is relative to the model's root, with /.

    ``checks``: hex digests of its content by what they are: sha256, md5, or git (SHA-1 of a git blob).
    ``tag``: another one means other content.
    """

    path: str
    size: int
    tag: str
    checks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of one version of a model. ``key``: its folder's name in the cache."""

    key: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a file from ``start`` on: 0 where the server cannot begin in the middle.

    ``unchecked``: the file's digests turn out to be none of its content.
    """

    start: int
    pieces: Iterator[bytes]
    unchecked: bool = False


class Source(Protocol):
    """Where a model is fetched from. Its methods raise FillError, or CutOffError."""

    def pinned_key(self) -> str | None:
        """The key where the uri alone tells it, so that nobody need be asked."""
        ...

    def snapshot(self) -> Snapshot:
        """What there is now."""
        ...

    def body(self, file: RemoteFile, start: int) -> AbstractContextManager[Body]:
        """Its content from a byte on."""
        ...


class CutOffError(Exception):
    """The way to the source broke: what was read so far is good, and the rest may be asked for."""


class GaveUpError(CutOffError):
    """The same, and it was tried often enough."""


def safe_path(path: str) -> str:
    """The path; FillError where it would lead out of the model's folder."""
    parts = path.split("/")
    if not path or "\0" in path or "\\" in path or {"", ".", ".."} & set(parts):
        raise FillError(
            NOT_FOUND, f"the model has a file of the name {path!r}, which is no file below its root"
        )
    return path
