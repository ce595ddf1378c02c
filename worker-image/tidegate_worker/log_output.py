"""Writing into the log, whoever reads it or not.

Nothing is kept in a buffer of Python's: what could not be written would be tried again by each fork and
at the interpreter's end, which then ends with code 120 instead of its own.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

LOOK_MILLISECONDS = 2000  # between two looks whether a log that takes nothing is still to be waited for


def write_out(stream: TextIO | None, text: bytes, may_wait: Callable[[], bool] = lambda: True) -> None:
    """Write all of it, as soon as the log takes it, for as long as ``may_wait`` says.

    The rest is lost where that is over, and where the log takes nothing for good: a full disk, or a
    reader that has gone.
    """
    if stream is None:  # closed before the interpreter was started
        return
    with suppress(OSError):
        number = stream.fileno()
        while text and _takes(number, may_wait):
            with suppress(BlockingIOError):  # of a descriptor that somebody shares and set so
                # No more than that is sure to fit: a blocking pipe would wait for the room for all.
                text = text[os.write(number, text[: select.PIPE_BUF]) :]


def _takes(number: int, may_wait: Callable[[], bool]) -> bool:
    """Whether the descriptor takes something, or tells at once why not; False once waiting is over."""
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    while not poll.poll(LOOK_MILLISECONDS):
        if not may_wait():
            return False
    return True
