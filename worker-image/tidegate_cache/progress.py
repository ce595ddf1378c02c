"""How far a download is, as JSON lines of the worker's own form."""

from __future__ import annotations

import threading
import time

from tidegate_worker.report import say

EVERY = 5.0  # seconds between two lines


class StoppedError(Exception):
    """Another file of the same model has failed: nothing more is to be fetched."""


class Progress:
    """Counts what several threads fetch of one model."""

    def __init__(self, key: str, total: int, have: int) -> None:
        self._key, self._total, self._have = key, total, have
        self._fetched = 0
        self._lock = threading.Lock()
        self._told = time.monotonic()
        self._began = self._told
        self._stopped = threading.Event()

    def stop(self) -> None:
        """The next count of each thread raises StoppedError."""
        self._stopped.set()

    def count(self, size: int) -> None:
        """That many bytes more have come."""
        if self._stopped.is_set():
            raise StoppedError
        with self._lock:
            self._fetched += size
            now = time.monotonic()
            due = now - self._told >= EVERY
            self._told = now if due else self._told
        if due:
            say("fetching", model=self._key, bytes=self._have + self._fetched, of=self._total)

    def end(self) -> None:
        """Say what it took."""
        seconds = time.monotonic() - self._began
        say("fetched", model=self._key, bytes=self._fetched, of=self._total, seconds=round(seconds, 1))
