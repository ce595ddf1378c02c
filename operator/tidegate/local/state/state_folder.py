"""Where a ``tidegate up`` keeps what must outlive it, and that only one at a time uses it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from tidegate.local.state.state_identity import identity, require_ours

_LOCK: Final = "lock"
_LOOKS_SECONDS: Final = 0.5  # far more than a look at the lock takes
_AGAIN_SECONDS: Final = 0.02
_OPEN: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC  # through no link to another's file
_MODE: Final = 0o700  # logs hold prompts, records hold tokens of downloads: nobody else's business


class HeldError(ValueError):
    """Another process uses the folder; ``pid`` 0: it does not say which."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{who} runs tidegate with the state folder {folder}: `tidegate down` ends it, --state names "
            "another folder"
        )


def state_folder(given: Path | None, environment: Mapping[str, str]) -> Path:
    """``given``, else systemd's StateDirectory, else one below the user's own (XDG), beside that of the
    development cluster. ValueError: the user has no home."""
    if given is not None:
        return given.absolute()
    if told := environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(told)
    if (state := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(state) / "tidegate/local"
    if not (home := environment.get("HOME", "")).startswith("/"):
        raise ValueError("there is no HOME to keep state in: name a folder with --state")
    return Path(home) / ".local/state/tidegate/local"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, is this process's alone inside this block. HeldError, OSError;
    ValueError where it is not tidegate's or not this user's, and then nothing in it is touched.

    The kernel gives it back however the process ends; the file stays, so that two never lock different ones.
    """
    folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
    require_ours(folder)
    _require_own(folder)
    with _opened(folder / _LOCK) as file:
        if not _locked(file):
            raise HeldError(folder, _pid_in(folder / _LOCK))
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid()}))
        file.flush()
        identity(folder)
        yield


def _require_own(folder: Path) -> None:
    """ValueError where somebody else may put files into it. Nobody else may read it from now on."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise ValueError(
            f"the state folder {folder} is of user {found.st_uid}, and this is user {os.geteuid()}: name "
            "another one with --state"
        )
    if found.st_mode & 0o022:
        raise ValueError(f"others may write to the state folder {folder}: chmod 700 it, or name another one")
    if found.st_mode & 0o077:
        folder.chmod(_MODE)


def _opened(lock: Path) -> TextIO:
    """The lock's file, made where it is missing, of this user alone. ValueError where it is none."""
    try:
        descriptor = os.open(lock, _OPEN, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(f"{lock} is a link, which tidegate never makes: remove it") from None
    file = os.fdopen(descriptor, "r+", encoding="utf-8")
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
        file.close()
        raise ValueError(f"{lock} is no file of this user alone: remove it")
    os.fchmod(descriptor, 0o600)
    return file


def _locked(file: TextIO) -> bool:
    """Whether it is locked now; whoever only looks holds it for a moment, too."""
    deadline = time.monotonic() + _LOOKS_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(_AGAIN_SECONDS)


def holder(folder: Path) -> int | None:
    """The process that uses the folder (0: it does not say its number yet); None: nobody does."""
    try:
        with (folder / _LOCK).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(folder / _LOCK)
    except FileNotFoundError:
        return None
    return None


def _pid_in(path: Path | str) -> int:
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        return int(told["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
