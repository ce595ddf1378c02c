"""A worker's log as it grows: read from its end, followed through the restarts of the worker."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from tidegate.local.asking.wire import Told

_BLOCK: Final = 64 * 1024
_AT_ONCE: Final = 1024 * 1024  # bytes that one read returns at most


class LogFile:
    """Used as a context. A restart puts a new file in the old one's place: what is left of the old is read
    first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._next: BinaryIO | None = None  # read when the rest of the one before is

    def __enter__(self) -> Self:
        self._file = self._path.open("rb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._file, self._next):
            if file is not None:
                file.close()

    def from_end(self, lines: int) -> None:
        """Goes on reading at the last so many lines."""
        file = self._opened
        end = file.seek(0, os.SEEK_END)
        file.seek(_begin_of_last(file, end, lines))

    def read(self) -> bytes:
        """What has come since the last time, no more than a megabyte; empty: nothing yet."""
        piece = self._opened.read(_AT_ONCE)
        if not piece and self._next is not None:
            self._opened.close()
            self._file, self._next = self._next, None
            piece = self._opened.read(_AT_ONCE)
        return piece

    def renewed(self) -> bool:
        """Whether another file has taken its place since; the next read begins with the rest of this one."""
        file = self._opened
        try:
            there, here = self._path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return False
        if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
            if there.st_size < file.tell():  # somebody has emptied it
                file.seek(0)
            return False
        self._next = self._path.open("rb")
        return True

    @property
    def _opened(self) -> BinaryIO:
        if self._file is None:
            raise RuntimeError("a LogFile is read inside its block")
        return self._file


def _begin_of_last(file: BinaryIO, end: int, lines: int) -> int:
    """Where the last so many lines begin; the last one may have no end yet."""
    if lines == 0:
        return end
    begin, tail = end, b""
    while begin > 0 and tail.count(b"\n", 0, max(0, len(tail) - 1)) < lines:
        begin = max(0, begin - _BLOCK)
        file.seek(begin)
        tail = file.read(end - begin)
    place = len(tail) - 1  # a newline at the very end ends the last line and begins none
    for _ in range(lines):
        place = tail.rfind(b"\n", 0, max(place, 0))
        if place < 0:
            return begin
    return begin + place + 1


def kept_logs(state: Path, told: Told) -> dict[str, Path]:
    """The logs of a service's workers that have gone, by their names, the latest last."""
    found = (state / "logs" / told.namespace).glob(f"{told.name}-?????.log")
    return {path.stem: path for path in sorted(found, key=lambda path: path.stat().st_mtime)}
