"""While a worker uses a model of the cache it says so, so that nobody removes it for the sake of room."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .report import say

LEASES = Path("/cache/leases")
EVERY = 60.0  # seconds; a model is let go 15 minutes after the last time


def keep_lease(model: Path | None, leases: Path = LEASES, every: float = EVERY) -> threading.Event | None:
    """Note now and again, until the process ends or the event is set, that the model is used.

    None where there is nothing to note: no cache, or a model that lies elsewhere.
    """
    done = threading.Event()
    try:
        if model is None or not leases.is_dir() or not (lease := leases / model.resolve().name).exists():
            return None
        threading.Thread(target=_keep, args=(lease, done, every), name="lease", daemon=True).start()
    except (OSError, RuntimeError) as error:  # not to be looked into, links in a circle, no thread left
        say("unprepared", what="the lease of the model", error=str(error))
        return None
    return done


def _keep(lease: Path, done: threading.Event, every: float) -> None:
    while True:
        try:
            os.utime(lease)
        except OSError as error:  # of a volume that is away for a while: a later time will do
            say("unprepared", what="the lease of the model", error=error.strerror)
        if done.wait(every):
            return
