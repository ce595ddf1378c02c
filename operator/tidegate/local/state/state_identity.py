"""What tells a state folder from any other, also from one that somebody has named by mistake."""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import Final

_IDENTITY: Final = "identity"
_DRAFT: Final = "identity.new"
_DIGITS: Final = 32
# What one that was killed at its start may have left, and what a file system of its own begins with.
_NOBODYS: Final = frozenset({"lock", _DRAFT, "lost+found"})


def identity(folder: Path) -> str:
    """32 hexadecimal digits of this folder and no other, made once: another mount namespace may have another
    folder of the same path. Whoever asks holds the folder's lock. OSError where it cannot be kept.

    It is on the disk before anything else but the lock is.
    """
    if not (found := _identity_in(folder)):
        found = os.urandom(_DIGITS // 2).hex()
        draft = folder / _DRAFT
        with open(draft, "w", encoding="utf-8", opener=_for_this_user) as file:
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
            found = file.read(2 * _DIGITS).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    return found if len(found) == _DIGITS and set(found) <= set(string.hexdigits) else ""


def require_ours(folder: Path) -> None:
    """ValueError where it is neither empty nor tidegate's; OSError.

    It is listed before the identity is looked at: whoever makes one begins with that.
    """
    others = sorted({each.name for each in folder.iterdir()} - _NOBODYS)
    if others and not is_ours(folder):
        raise ValueError(
            f"{folder} is no state folder of tidegate's and has other things in it, such as {others[0]}: "
            "name an empty folder, or one that is not there yet, with --state"
        )
