"""What the worker says of itself: JSON lines on stdout, and the termination message."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from .failure import Failure
from .log_output import write_out


def say(event: str, **facts: object) -> None:
    """Write ``line_of`` into the log; lost where nobody can take it."""
    write_out(sys.stdout, line_of(event, **facts))


def line_of(event: str, **facts: object) -> bytes:
    """One JSON line, ``{"worker": event, …}``."""
    return json.dumps({"worker": event, **facts}).encode() + b"\n"


def process_age() -> float:
    """Seconds since this process was started, its interpreter's start included."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # in seconds since the machine's start
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def leave_message(failure: Failure, path: Path) -> None:
    """Write the cause where Kubernetes reads it, and into the log."""
    write_out(sys.stderr, f"worker failed: {failure.line}\n".encode(errors="backslashreplace"))
    leave_note(failure.line, path)


def leave_note(text: str, path: Path) -> None:
    """One line where Kubernetes reads it, if that place is there (on a plain host it is not)."""
    if path.parent == Path("/dev") and not path.exists():
        return
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:  # the cause stands in the log; how the worker ended stays what is told
        say("unprepared", what=str(path), error=error.strerror)
