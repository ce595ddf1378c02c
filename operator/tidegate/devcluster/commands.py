"""Running other programs: one interface, so that a test can record instead."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tidegate.devcluster.errors import ClusterError

LAST_LINES = 15  # of a failed program's output are shown


@dataclass(frozen=True)
class Finished:
    """How a program ended: exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


class Runner(Protocol):
    """Runs a program to its end."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 180,
        check: bool = True,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        """How it ended. With `check`, a non-zero exit is a ClusterError that shows the last lines."""


class SystemRunner:
    """Runs programs on this machine."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        timeout: float = 180,
        check: bool = True,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Finished:
        """See Runner. A missing program and an exceeded `timeout` (seconds) are ClusterErrors too."""
        words = [str(word) for word in argv]
        try:
            done = subprocess.run(
                words,
                input=stdin,
                env=env,
                timeout=timeout,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except FileNotFoundError as error:
            raise ClusterError(f"{words[0]} is not installed (needed for `{shlex.join(words)}`)") from error
        except subprocess.TimeoutExpired as error:
            raise ClusterError(f"`{shlex.join(words)}` did not end within {timeout:.0f} s") from error
        finished = Finished(done.returncode, done.stdout, done.stderr)
        if check and finished.code != 0:
            raise ClusterError(failure_of(words, finished))
        return finished


def failure_of(words: Sequence[str], finished: Finished) -> str:
    """The sentence about a program that failed, with the last lines that it printed."""
    lines = (finished.stderr.strip() or finished.stdout.strip()).splitlines()
    shown = "\n  ".join(lines[-LAST_LINES:])
    return f"`{shlex.join(words)}` failed with exit code {finished.code}:\n  {shown}"
