"""The user's home, where caches and settings lie unless a variable names another place."""

from __future__ import annotations

from pathlib import Path


def home(instead: str) -> Path:
    """By HOME, else by the list of users. ValueError where neither has one; it names the variable ``instead``
    that does without."""
    try:
        return Path.home()
    except RuntimeError:
        raise ValueError(f"this user has no home folder: set HOME, or {instead}") from None
