"""One process whose end is waited for, whether it is a child of this one or was adopted."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from tidegate.local.processes.table import look_at
from tidegate.local.worker.pod_state import Process


class Watched:
    """Holds a pidfd, so that no signal of ours ever reaches a successor of its number; to be closed.

    ProcessLookupError where the process is gone or is another by now.
    """

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._fd = os.pidfd_open(process.pid)
        try:
            seen = look_at(process.pid)
            if seen is None or seen.ticks != process.ticks:
                raise ProcessLookupError(process.pid)
            self._loop.add_reader(self._fd, self._end)
        except BaseException:
            os.close(self._fd)
            raise

    def _end(self) -> None:
        self._loop.remove_reader(self._fd)
        self.ended.set()

    def signal(self, number: signal.Signals) -> None:
        """Sends it; nothing where it has ended, or is another user's by now."""
        with suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self._fd, number)

    def reap(self) -> int | None:
        """The exit code of one that has ended, 128 + n after signal n; None where it is no child of ours."""
        try:
            _, status = os.waitpid(self.process.pid, os.WNOHANG)
        except ChildProcessError:
            return None
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """Look away; the process goes on."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
