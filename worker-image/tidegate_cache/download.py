"""One file: its missing bytes are fetched, its digest is compared, and only then it has its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .causes import MISMATCH, UNREACHABLE, FillError, named
from .remote import Body, CutOffError, GaveUpError, RemoteFile, Source
from .volume import size_of
from .web import Patience

READ = 1 << 20
PART = ".part-"  # then the tag: bytes of another version are another file's


@dataclass(frozen=True)
class Download:
    """Where files come from and how; ``count`` is told of bytes as they come, and raises to stop."""

    source: Source
    patience: Patience
    place: str  # of the cache, for sentences
    count: Callable[[int], None]

    def fetch(self, file: RemoteFile, folder: Path) -> None:
        """Make ``folder/file.path`` the whole file; a part that is there is continued.

        FillError, ChecksumMismatch among them where the content was wrong twice.
        """
        target = folder / file.path
        part = target.with_name(f"{target.name}{PART}{hashlib.sha256(file.tag.encode()).hexdigest()[:12]}")
        with named(self.place):
            target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            wrong = self._whole(file, part)
            if wrong is None:
                with named(self.place):
                    _give_name(part, target, file.size)
                return
            with named(self.place):
                part.unlink(missing_ok=True)
        raise FillError(MISMATCH, f"{file.path} was fetched twice and is not what its source says: {wrong}")

    def _whole(self, file: RemoteFile, part: Path) -> str | None:
        """Fetch until all of it is there; what is wrong with its digests, None: nothing."""
        with named(self.place), _opened(part) as number:
            digests, have = _digests_of(file, number)
            fruitless, unchecked = 0, False
            while have < file.size:
                before = have
                try:
                    with self.source.body(file, have) as body:
                        digests = digests if body.start == have else _Digests(file)
                        unchecked = body.unchecked
                        have = self._write(number, body, digests, file.size)
                    why = "the connection ended before the file did"
                except GaveUpError as error:
                    raise FillError(UNREACHABLE, f"{file.path} cannot be fetched now: {error}") from error
                except CutOffError as error:
                    why, have = str(error), digests.length
                fruitless = 0 if have > before else fruitless + 1
                if have < file.size:
                    self._wait(file, fruitless, why)
            os.fsync(number)
        return None if unchecked else digests.difference(file)

    def _write(self, number: int, body: Body, digests: _Digests, size: int) -> int:
        """At its own place: two writers of one file, where a volume knows no locks, write the same bytes."""
        for piece in body.pieces:
            taken = piece[: size - digests.length]
            done = 0
            while done < len(taken):
                done += os.pwrite(number, taken[done:], digests.length + done)
            digests.add(taken)
            self.count(len(taken))
            if digests.length == size:
                break
        return digests.length

    def _wait(self, file: RemoteFile, fruitless: int, why: str) -> None:
        if fruitless >= self.patience.tries:
            raise FillError(
                UNREACHABLE, f"{file.path} does not come any more, after {fruitless} tries: {why}"
            )
        if fruitless:
            self.patience.wait(fruitless)


def _give_name(part: Path, target: Path, size: int) -> None:
    """Where locks do not hold another writer may have given it its name."""
    try:
        part.rename(target)
    except FileNotFoundError:
        if size_of(target) != size:
            raise


class _Digests:
    """Of what a file has so far, those that its source told."""

    def __init__(self, file: RemoteFile) -> None:
        self.length = 0
        self._running: dict[str, Any] = {}
        for kind in file.checks:
            name = "sha1" if kind == "git" else kind
            self._running[kind] = hashlib.new(name, usedforsecurity=False)
            if kind == "git":
                self._running[kind].update(b"blob %d\0" % file.size)

    def add(self, piece: bytes) -> None:
        self.length += len(piece)
        for digest in self._running.values():
            digest.update(piece)

    def difference(self, file: RemoteFile) -> str | None:
        """A sentence where one is not what it should be."""
        found: Mapping[str, str] = {kind: digest.hexdigest() for kind, digest in self._running.items()}
        wrong = [kind for kind, value in file.checks.items() if found[kind] != value.lower()]
        return f"its {wrong[0]} is {found[wrong[0]]}, not {file.checks[wrong[0]]}" if wrong else None


def _digests_of(file: RemoteFile, number: int) -> tuple[_Digests, int]:
    """Of what an earlier try has left, read again from the disk."""
    digests = _Digests(file)
    if os.fstat(number).st_size > file.size:
        os.ftruncate(number, 0)
    while piece := os.pread(number, READ, digests.length):
        digests.add(piece)
    return digests, digests.length


@contextmanager
def _opened(part: Path) -> Iterator[int]:
    number = os.open(part, os.O_RDWR | os.O_CREAT, 0o664)
    try:
        yield number
    finally:
        os.close(number)
