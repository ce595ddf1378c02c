"""The process that `tidegate up` starts as a worker, started by nobody but the benchmark."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.component.local.marked import MARK, Marked

BUDGET = 300.0  # seconds for a first answer
STOP_SECONDS = 90.0


@dataclass(frozen=True)
class Bare:
    """What a worker was started with: the kernel's word for its command, environment, folder and cores."""

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    cores: frozenset[int]
    host: str

    @classmethod
    def of(cls, worker: Marked, host: str) -> Bare:
        """Read while the worker runs. Its mark is another one's, so that no `up` takes the bare process for
        an orphan of its own."""
        proc = Path("/proc", str(worker.number))
        words = (proc / "cmdline").read_bytes().decode().split("\0")[:-1]
        pairs = (each.partition("=") for each in (proc / "environ").read_bytes().decode().split("\0") if each)
        environment = {name: value for name, _, value in pairs} | {MARK: "/nowhere:bare"}
        cores = frozenset(os.sched_getaffinity(worker.number))
        return cls(tuple(words), environment, str((proc / "cwd").readlink()), cores, host)

    @contextlib.contextmanager
    def running(self, output: Path) -> Iterator[None]:
        """On the worker's cores, in a session of its own that is gone after the block."""
        ours = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cores)  # inherited, so that no other program has to be started first
        try:
            with output.open("ab") as log:
                process = subprocess.Popen(
                    self.command,
                    env=self.environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        finally:
            os.sched_setaffinity(0, ours)
        try:
            yield
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def first_byte(host: str, port: int, request: bytes, every: float) -> float:
    """The moment, by the monotonic clock, at which the first byte of a 200 came to a request that is sent as
    soon as there is a connection; tried every so many seconds. SystemExit for any other answer."""
    deadline = time.monotonic() + BUDGET
    while time.monotonic() < deadline:
        with contextlib.suppress(ConnectionError), socket.create_connection((host, port), BUDGET) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(request)
            beginning = client.recv(65536)
            moment = time.monotonic()
            if beginning.startswith(b"HTTP/1.1 200"):
                return moment
            raise SystemExit(f"bench: not answered with 200: {beginning[:300]!r}")
        time.sleep(every)
    raise SystemExit(f"bench: no answer within {BUDGET:g} s")
