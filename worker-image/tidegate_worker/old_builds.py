"""Clears away what builds compiled that no worker uses any more, so that the cache of it stays bounded."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .compile_cache import FOLDER_VARIABLE, USED
from .report import say

KEPT_SECONDS = 30 * 24 * 3600.0  # from its last start on: a rollback within a month finds its own
GOING = ".going-"  # the name of a folder that is being removed begins so


def clear_away_later(environment: Mapping[str, str]) -> threading.Thread | None:
    """Clear away beside the start, which does not wait for it: the thread, None where there is no cache."""
    cache = environment.get(FOLDER_VARIABLE)
    if not cache:
        return None
    thread = threading.Thread(target=clear_away, args=(Path(cache), time.time()), name="cache", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the pod has no thread left; another start will do it
        return None
    return thread


def clear_away(cache: Path, now: float) -> list[str]:
    """Remove the builds that no worker has used for long, and what a removal left half done: their names."""
    gone = []
    with suppress(OSError):  # who wants to write there tells of a volume that cannot be read
        for folder in sorted(path for path in cache.iterdir() if path.is_dir()):
            if folder.name.startswith(GOING):
                shutil.rmtree(folder, ignore_errors=True)
            elif _remove(folder, now):
                gone.append(folder.name)
    if gone:
        say("cleared", builds=gone)
    return gone


def _remove(build: Path, now: float) -> bool:
    """Whether the build was old, and in use nowhere: a worker holds the lock for as long as it lives."""
    with suppress(OSError):  # none of ours, another user's, in use, or on a volume that knows no locks
        mark = os.open(build / USED, os.O_RDWR)
        try:
            if now - os.fstat(mark).st_mtime < KEPT_SECONDS:
                return False
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            going = build.rename(build.with_name(GOING + build.name))
            shutil.rmtree(going, ignore_errors=True)
            return True
        finally:
            os.close(mark)
    return False
