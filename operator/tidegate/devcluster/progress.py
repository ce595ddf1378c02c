"""Progress lines with the seconds since the start, from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

REMINDER_SECONDS = 30.0  # a long step says that it is still at work this often


@dataclass
class Progress:
    """Writes `[  12 s] text` to a stream; `out=None` keeps quiet."""

    out: TextIO | None
    clock: Callable[[], float] = time.monotonic
    started: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def say(self, text: str) -> None:
        """Prints one line."""
        if self.out is None:
            return
        with self._lock:
            print(f"[{self.clock() - self.started:4.0f} s] {text}", file=self.out, flush=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Prints `text` now, a reminder every half minute, and how long it took if that was long."""
        self.say(text)
        begun, done = self.clock(), threading.Event()
        reminder = threading.Thread(target=self._remind, args=(text, begun, done), daemon=True)
        reminder.start()
        try:
            yield
        finally:
            done.set()
            reminder.join()
        if self.clock() - begun >= REMINDER_SECONDS:
            self.say(f"{text}: done in {self.clock() - begun:.0f} s")

    def _remind(self, text: str, begun: float, done: threading.Event) -> None:
        while not done.wait(REMINDER_SECONDS):
            self.say(f"still at it after {self.clock() - begun:.0f} s: {text}")
