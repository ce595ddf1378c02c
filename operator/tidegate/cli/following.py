"""The log of one worker after the other, as it grows."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidegate.cli.here import one_of
from tidegate.domain.loose import mapping, text
from tidegate.local.asking.client import ControlClient
from tidegate.local.asking.log_file import LogFile
from tidegate.local.asking.wire import Told

_LOOK_SECONDS: Final = 0.2  # between two looks at a file that does not grow
_WORKERS_EVERY: Final = 5  # of these looks: whether the worker is still there


def newest_worker(told: Told) -> str:
    """Of the workers that exist and have a log the one that was made last; empty: there is none."""
    made = sorted(
        (text(mapping(pod.get("metadata")).get("creationTimestamp")), name)
        for pod, name in zip(told.pods, worker_names(told), strict=True)
        if name in told.logs
    )
    return made[-1][1] if made else ""


def worker_names(told: Told) -> list[str]:
    """Of all that exist."""
    return [text(mapping(pod.get("metadata")).get("name")) for pod in told.pods]


def whole(path: Path, tail: int | None = None) -> Iterator[bytes]:
    """What a file has now; ``tail``: its last lines alone."""
    with LogFile(path) as file:
        if tail is not None:
            file.from_end(tail)
        while piece := file.read():
            yield piece


class Following:
    """Begins with the log of a worker, also of one that has gone; then goes on with that of the service's
    newest, unless it is ``pinned``."""

    def __init__(self, asked: ControlClient, told: Told, worker: str, path: Path, *, pinned: bool) -> None:
        self._asked = asked
        self._told = told
        self._worker = worker
        self._path = path
        self._pinned = pinned
        self._over = False  # there is nothing more to come, of any worker

    def pieces(self, tail: int | None) -> Iterator[bytes]:
        """Bytes as they are written, until the ``tidegate up``, the service or the pinned worker has gone."""
        while not self._over:
            worker = self._worker
            with LogFile(self._path) as file:
                if tail is not None:
                    file.from_end(tail)
                yield from self._of_one(file)
            tail = None
            if self._worker != worker:
                _note(f"{worker} has gone; this is {self._worker}")

    def _of_one(self, file: LogFile) -> Iterator[bytes]:
        worker, looks = self._worker, 0
        while True:
            while piece := file.read():
                yield piece
            if file.renewed():
                _note(f"{worker} begins again")
            elif self._over or self._worker != worker:
                return
            else:
                time.sleep(_LOOK_SECONDS)
                looks += 1
                if looks % _WORKERS_EVERY == 0:
                    self._look()

    def _look(self) -> None:
        """Sees whether the worker is still there, and who is the next; its file is read once more then."""
        try:
            told = one_of(self._asked.services().services, self._told.name, self._told.namespace)
        except ValueError as error:
            _note(str(error))
            self._over = True
            return
        if self._worker in worker_names(told):
            return
        newest = newest_worker(told)
        if self._pinned:
            self._over = True
        elif newest and newest != self._worker:
            self._told, self._worker, self._path = told, newest, told.logs[newest]


def _note(text: str) -> None:
    print(f"tidegate: {text}", file=sys.stderr)
