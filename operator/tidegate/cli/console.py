"""Lines for whoever looks at a running ``tidegate up``: its terminal, and commands that want to hear them."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TextIO

from tidegate.cli.listeners import Listeners

_LAST_SECONDS: Final = 1.0  # for a reader that has not read everything at the end
_MOST_WAITING: Final = 10_000  # lines for a reader that does not read: those of a day, within 2 MiB


class Console:
    """Used as a context. Writes in a thread of its own: a terminal that is held (Ctrl-S), or a pipe that
    nobody reads, must not stop the gateway."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self.lines: Listeners[str] = Listeners()  # what is said, for others

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._written.put(None)
        self._thread.join(_LAST_SECONDS)

    def say(self, *lines: str, timed: bool = True) -> None:
        """Lines that belong together; ``timed``: the first begins with the time of day."""
        if timed:
            now = datetime.now().astimezone()
            lines = (f"{now:%H:%M:%S}  {lines[0]}", *(f"{'':10}{line}" for line in lines[1:]))
        for line in lines:
            if self._written.qsize() < _MOST_WAITING:
                self._written.put(f"{line}\n")
            self.lines.tell(line)

    def _write(self) -> None:
        while (text := self._written.get()) is not None:
            with suppress(OSError, ValueError):  # the terminal has gone, the disk is full; the services go on
                self._stream.write(text)
                self._stream.flush()
