"""Which files manifests are in, and what is in one at this moment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

STDIN: Final = "-"
MAX_BYTES: Final = 4_000_000  # thousands of services; what is larger is no manifest
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_NO_WAIT: Final = (
    os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
)  # who opens a FIFO waits for its writer otherwise

Stamp = tuple[int, int, int]  # inode, change time, size


def expanded(source: str) -> Iterator[str]:
    """A folder's manifests, else the file itself, also where there is none. OSError."""
    path = Path(source)
    if not path.is_dir():
        yield source
        return
    yield from sorted(str(each) for each in path.iterdir() if each.suffix in _SUFFIXES and each.is_file())


def stamp_of(path: str) -> Stamp | None:
    """None where it is not there. One that may not be looked at is there: to read it says why."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def is_regular(path: str) -> bool:
    """Whether it can be read again and again. OSError."""
    return stat.S_ISREG(Path(path).stat().st_mode)


def text_once(path: str) -> str:
    """All of it, for which the writer of a pipe is waited for. OSError, ValueError."""
    with Path(path).open("rb") as file:
        return _decoded(path, file.read(MAX_BYTES + 1))


def text_of(path: str) -> str:
    """What is in a regular file; what another one may hold is not waited for. OSError, ValueError."""
    with os.fdopen(os.open(path, _NO_WAIT), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no regular file any more")
        return _decoded(path, file.read(MAX_BYTES + 1))


def _decoded(path: str, content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path}: it is larger than {MAX_BYTES // 1_000_000} MB: split it")
    return content.decode("utf-8")
