"""The first process of the worker: a log that is full, since nobody reads it or not at once."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidegate_worker.log_output import write_out

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
PROGRAM = """
import os, signal, sys, tidegate_worker.log_output as log_output, tidegate_worker.supervisor as supervisor
log_output.LOOK_MILLISECONDS = 10
supervisor.STOP_STARTING_SECONDS = 1
{serve}
supervisor.serve = serve
sys.exit(supervisor.supervise(["--model", "some/model", "--port", "0"], os.environ))
"""
HANGS = """
def serve(words, watch):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    while True:
        os.write(1, b"x" * 4096)
"""
DRAINS = """
def serve(words, watch):
    from tidegate_worker.start_marks import PARTS
    for part in PARTS:
        watch.mark(part)
    told = []
    signal.signal(signal.SIGUSR1, lambda *_: told.append(True))
    while not told:
        os.write(1, b"x" * 4096)
    for _ in range(64):
        os.write(1, b"x" * 4096)
    open(os.environ["HOME"] + "/drained", "w").close()
    os._exit(0)
"""
WRITES = """
def serve(words, watch):
    for _ in range(100):
        os.write(1, b"x" * 3000)
"""


@contextmanager
def started(serve: str, folder: Path, stdout: int) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor whose child runs the function; killed at the end."""
    environment = {
        "PYTHONPATH": str(WORKER_IMAGE),
        "TIDEGATE_TERMINATION_MESSAGE": str(folder / "message"),
        "HOME": str(folder),
        "TIDEGATE_ISOLATION_PORT": "0",
    }
    words = [sys.executable, "-c", PROGRAM.format(serve=serve)]
    with subprocess.Popen(words, env=environment, stdout=stdout) as worker:
        try:
            yield worker
        finally:
            worker.kill()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def wait_full(writer: int) -> None:
    """Until the pipe takes nothing more."""
    poll = select.poll()
    poll.register(writer, select.POLLOUT)
    deadline = time.monotonic() + 120
    while poll.poll(0):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_hangs_is_ended_though_nobody_reads_its_log(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    with started(HANGS, tmp_path, pipe[1]) as worker:
        wait_full(pipe[1])
        worker.terminate()
        assert worker.wait(120) == 0


def test_an_engine_drains_to_its_end_though_nobody_reads_its_log(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    with started(DRAINS, tmp_path, pipe[1]) as worker:
        wait_full(pipe[1])
        worker.terminate()
        assert worker.wait(120) == 0
    assert (tmp_path / "drained").exists()


def test_a_log_that_does_not_block_gets_all_the_same_what_its_reader_takes_late(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    with started(WRITES, tmp_path, writer) as worker:
        wait_full(writer)
        assert taken(reader, worker).count(b"x") >= 300_000


def taken(reader: int, worker: subprocess.Popen[bytes]) -> bytes:
    """What the pipe gives until the worker has ended."""
    os.set_blocking(reader, False)
    pieces = bytearray()
    deadline = time.monotonic() + 120
    ended = False
    while not ended:
        ended = worker.poll() is not None  # before the look: what it has written is there by then
        while select.select([reader], [], [], 0.02)[0]:
            pieces += os.read(reader, 65536)
        assert time.monotonic() < deadline
    return bytes(pieces)


def test_a_write_that_would_have_blocked_is_tried_again(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    write, refusals = os.write, iter([True])

    def refuse_once(number: int, text: bytes) -> int:
        if next(refusals, False):
            raise BlockingIOError
        return write(number, text[:2])

    with open(writer, "w", closefd=False) as stream, monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse_once)
        write_out(stream, b"a line\n")
    assert os.read(reader, 100) == b"a line\n"
