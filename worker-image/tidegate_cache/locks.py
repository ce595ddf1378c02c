"""Locks that a dead holder never keeps: flock, which the kernel gives up with the process.

NFS carries them to the server (Linux 2.6.12 and later), so they hold between nodes. On a volume that knows
none, or keeps them to one node, two may fill one model at once: both write the same bytes to the same places,
the first that is done gives the folder its name, and the other finds it, or ends with an error and is started
again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK = 0.25  # seconds between two looks at a lock that is held
_UNKNOWN = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextmanager
def held(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock, after waiting for it; ``waiting`` is called before each further look."""
    number = _open(file)
    try:
        while not _take(number):
            waiting()
            time.sleep(LOOK)
        yield
    finally:
        os.close(number)


@contextmanager
def held_if_free(file: Path) -> Iterator[bool]:
    """Whether it is held here now; False: somebody else has it."""
    number = _open(file)
    try:
        yield _take(number)
    finally:
        os.close(number)


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o664)


def _take(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        if error.errno not in _UNKNOWN:
            raise
    return True
