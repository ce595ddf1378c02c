"""How the processes of the engine ended that vLLM's server started: it tells that one is gone, not why."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable

from .reasons import KILLED

EVENT = "engine ended"
SAID = (
    re.compile(rf'^{{"worker": "{EVENT}", "process": "([^"]*)", "code": (-?\d+)}}'),
    re.compile(r"Failed core proc\(s\): \{'([^']+)': (-?\d+)"),
    re.compile(r"Worker proc (\S+) died unexpectedly \(exit code: (-?\d+)\)"),
)
ADVICE: dict[int, str] = {
    signal.SIGILL: "The node's CPU lacks instructions that the engine was built for: choose nodes by"
    " placement.nodeSelector, or another engine.image.",
    signal.SIGKILL: "See whether the node ran out of memory outside the worker's limit, or who killed it.",
    signal.SIGBUS: "If /dev/shm was full raise resources.sharedMemory; otherwise a file could not be read.",
}


def killed_part(lines: Iterable[str]) -> tuple[str, int] | None:
    """The name and the signal of the first part of the engine that a signal has ended, if one is named."""
    found = (match for line in lines for said in SAID if (match := said.search(line)))
    return next(((match[1], -int(match[2])) for match in found if int(match[2]) < 0), None)


def killed(who: str, number: int) -> tuple[str, str, str]:
    """Reason, sentence and advice for a process that a signal ended."""
    known = number in set(signal.Signals)
    named = f"signal {number} ({signal.Signals(number).name})" if known else f"signal {number}"
    return KILLED.reason, f"{who} was ended by {named}", ADVICE.get(number, KILLED.advice)
