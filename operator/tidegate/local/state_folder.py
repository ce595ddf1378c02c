"""Where a ``tidegate up`` keeps what must outlive it, and that only one at a time uses it."""

from __future__ import annotations

import fcntl
import json
import os
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

_LOCK: Final = "lock"
_IDENTITY: Final = "identity"
_DRAFT: Final = "identity.new"
# What one that was killed at its start may have left, and what a file system of its own begins with.
_NOBODYS: Final = frozenset({_LOCK, _DRAFT, "lost+found"})
_LOOKS_SECONDS: Final = 0.5  # far more than a look at the lock takes
_AGAIN_SECONDS: Final = 0.02
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
    """``given``, else systemd's StateDirectory, else tidegate's below the user's own (XDG). ValueError: the
    user has no home."""
    if given is not None:
        return given.absolute()
    if told := environment.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(told)
    if (state := environment.get("XDG_STATE_HOME", "")).startswith("/"):
        return Path(state) / "tidegate"
    if not (home := environment.get("HOME", "")).startswith("/"):
        raise ValueError("there is no HOME to keep state in: name a folder with --state")
    return Path(home) / ".local/state/tidegate"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, is this process's alone inside this block. HeldError, OSError;
    ValueError where it is not tidegate's, and then nothing in it is touched.

    The kernel gives it back however the process ends; the file stays, so that two never lock different ones.
    """
    folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
    _require_ours(folder)
    if folder.stat().st_mode & 0o022:
        raise ValueError(f"others may write to the state folder {folder}: chmod 700 it, or name another one")
    with (folder / _LOCK).open("a+", encoding="utf-8") as file:
        if not _locked(file):
            raise HeldError(folder, _pid_in(file.name))
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid()}))
        file.flush()
        identity(folder)
        yield


def identity(folder: Path) -> str:
    """32 hexadecimal digits of this folder and no other, made once: another mount namespace may have another
    folder of the same path. Whoever asks holds the folder's lock. OSError where it cannot be kept.

    It is what tells tidegate's folder from one that somebody has named by mistake, so it is on the disk
    before anything else is.
    """
    if not (found := _identity_in(folder)):
        found = os.urandom(16).hex()
        draft = folder / _DRAFT
        with open(draft, "w", encoding="ascii", opener=_for_this_user) as file:
            file.write(f"{found}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / _IDENTITY)
    return found


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def is_ours(folder: Path) -> bool:
    """Whether a ``tidegate up`` has made the folder its own. OSError."""
    return bool(_identity_in(folder))


def _identity_in(folder: Path) -> str:
    """Empty where there is none."""
    try:
        with (folder / _IDENTITY).open("rb") as file:
            found = file.read(64).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return ""
    return found if len(found) == 32 and set(found) <= set(string.hexdigits) else ""


def _require_ours(folder: Path) -> None:
    """It is listed before the identity is looked at: whoever makes one begins with that."""
    others = sorted({each.name for each in folder.iterdir()} - _NOBODYS)
    if others and not is_ours(folder):
        raise ValueError(
            f"{folder} is no state folder of tidegate's and has other things in it, such as {others[0]}: "
            "name an empty folder, or one that is not there yet, with --state"
        )


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
