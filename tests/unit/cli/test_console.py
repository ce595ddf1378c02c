"""The lines of a ``tidegate up``, where their reader does not read or cannot take them."""

from __future__ import annotations

import io
import threading

from tidegate.cli.console import Console

MOST = 10_000  # lines that wait for a reader


class Refusing(io.StringIO):
    """Has no room for its first line."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()
        self._refused = False

    def write(self, text: str) -> int:
        if not self._refused:
            self._refused = True
            raise OSError(28, "No space left on device")
        done = super().write(text)
        self.written.set()
        return done


class Held(io.StringIO):
    """A terminal on which somebody has pressed Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()
        self.last = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait()
        if text == "last\n":
            self.last.set()
        return super().write(text)


def test_lines_are_told_again_once_the_disk_has_room() -> None:
    stream = Refusing()
    with Console(stream) as console:
        console.say("lost", timed=False)
        console.say("told", timed=False)
        assert stream.written.wait(60)
    assert stream.getvalue() == "told\n"


def test_what_waits_for_a_terminal_that_is_held_is_bounded() -> None:
    stream = Held()
    with Console(stream) as console:
        for _ in range(3 * MOST):
            console.say("a line", timed=False)
        stream.let_go.set()
        while not stream.last.is_set():
            console.say("last", timed=False)
            stream.last.wait(0.01)
    assert stream.getvalue().count("a line\n") <= MOST + 1
