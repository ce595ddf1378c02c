"""The first process of the worker: a log that takes nothing, and what is remembered of the engine's words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
PROGRAM = """
import os, sys, tidegate_worker.supervisor as supervisor
{serve}
supervisor.serve = serve
sys.exit(supervisor.supervise(["--model", "some/model", "--port", "0"], os.environ))
"""
SERVES_ON = """
def serve(words, watch):
    import pathlib
    for line in range(2000):
        print("a line of the log", line, flush=True)
    pathlib.Path(os.environ["HOME"], "served").touch()
"""


def run(
    serve: str, folder: Path, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE, **more: str
) -> subprocess.CompletedProcess[str]:
    """A supervisor whose child runs the function, to its end."""
    environment = {
        "PYTHONPATH": str(WORKER_IMAGE),
        "PYTHONUNBUFFERED": "1",
        "TIDEGATE_TERMINATION_MESSAGE": str(folder / "message"),
        "HOME": str(folder),
        "TIDEGATE_ISOLATION_PORT": "0",
        **more,
    }
    words = [sys.executable, "-c", PROGRAM.format(serve=serve)]
    return subprocess.run(
        words, env=environment, text=True, stdout=stdout, stderr=stderr, timeout=120, check=False
    )


@pytest.fixture
def full() -> Iterator[int]:
    """A file on a disk that is full."""
    with Path("/dev/full").open("wb", buffering=0) as file:
        yield file.fileno()


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_an_engine_goes_on_where_the_disk_of_its_log_is_full(
    tmp_path: Path, full: int, unbuffered: str
) -> None:
    done = run(SERVES_ON, tmp_path, full, full, PYTHONUNBUFFERED=unbuffered)
    assert (tmp_path / "served").exists()
    assert done.returncode == 128  # an engine's end by itself, and not the interpreter's 120


REMEMBERS = """
found = supervisor.find_failure
def find_failure(lines, code, environment):
    open(os.environ["HOME"] + "/remembered", "w").write("\\n".join(lines))
    return found(lines, code, environment)
supervisor.find_failure = find_failure
def serve(words, watch):
    print("the engine's", flush=True)
"""


def test_what_the_log_did_not_take_is_not_said_once_more_by_the_engine(tmp_path: Path, full: int) -> None:
    run(REMEMBERS, tmp_path, full, PYTHONUNBUFFERED="")
    assert (tmp_path / "remembered").read_text().split("\n")[0] == "the engine's"


def test_an_engine_goes_on_where_the_reader_of_its_log_has_gone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run(SERVES_ON, tmp_path, writer)
    finally:
        os.close(writer)
    assert (tmp_path / "served").exists()


def test_the_cause_is_found_in_a_last_line_that_was_not_ended(tmp_path: Path) -> None:
    run("def serve(words, watch): os.write(1, b'MemoryError: no room') and os._exit(3)", tmp_path)
    assert (tmp_path / "message").read_text().startswith("OutOfMemory: MemoryError: no room.")


ENDLESS = """
supervisor.LINE_BYTES = 64
print_remembered = supervisor.find_failure
def find_failure(lines, code, environment):
    lines = list(lines)
    print("longest", max(map(len, lines)), flush=True)
    return print_remembered(lines, code, environment)
supervisor.find_failure = find_failure
def serve(words, watch):
    for _ in range(100):
        os.write(1, b"x" * 4096)
    os.write(1, b"\\n" + b"y" * 1000 + b"\\nMemoryError: no room\\n")
    os._exit(3)
"""


def test_of_a_line_that_does_not_end_only_the_beginning_is_remembered(tmp_path: Path) -> None:
    output = run(ENDLESS, tmp_path).stdout
    assert "longest 64\n" in output
    assert output.count("x") >= 100 * 4096
    assert (tmp_path / "message").read_text().startswith("OutOfMemory: MemoryError: no room.")


def test_a_message_that_cannot_be_left_changes_nothing_of_how_the_worker_ended(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "missing" / "message")
    done = run(
        "def serve(words, watch): raise SystemExit(print('MemoryError: no room', flush=True) or 3)",
        tmp_path,
        TIDEGATE_TERMINATION_MESSAGE=nowhere,
    )
    assert done.returncode == 3
    assert "worker failed: OutOfMemory" in done.stderr
    assert "Traceback" not in done.stderr


STOPPED_LATE = """
found = supervisor.find_failure
def find_failure(*facts):
    os.kill(os.getpid(), 15)
    return found(*facts)
supervisor.find_failure = find_failure
def serve(words, watch):
    raise SystemExit(print('MemoryError: no room', flush=True) or 3)
"""


def test_a_worker_that_is_told_to_stop_just_after_its_engine_ended_tells_the_cause(tmp_path: Path) -> None:
    assert run(STOPPED_LATE, tmp_path).returncode == 3
    assert (tmp_path / "message").read_text().startswith("OutOfMemory: MemoryError: no room.")


KILLS = """
counts = iter([0, 1])
supervisor.count_oom_kills = lambda: next(counts)
"""
FAILS = "def serve(words, watch): raise SystemExit(print('ValueError: bad', flush=True) or 3)"
IS_KILLED = "def serve(words, watch): os.kill(os.getpid(), 9)"


@pytest.mark.parametrize(
    ("serve", "shared", "reason"),
    [
        (FAILS, "1", "EngineFailed: bad"),  # it was somebody else of the session that was killed
        (FAILS, "", "O"),  # of a container every kill is its own
        (IS_KILLED, "1", "O"),
    ],
)
def test_in_a_cgroup_with_others_a_kill_for_memory_counts_where_the_engine_was_killed(
    serve: str, shared: str, reason: str, tmp_path: Path
) -> None:
    run(KILLS + serve, tmp_path, TIDEGATE_WORKER=shared)
    said = (tmp_path / "message").read_text()
    assert said.startswith(("OOMKilled: ", "OutOfMemory: ") if reason == "O" else reason)


def test_a_vllm_that_begins_in_another_way_is_named_with_its_version(tmp_path: Path) -> None:
    package = tmp_path / "packages" / "vllm"
    (package / "entrypoints").mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '0.11.0'\n")
    (package / "entrypoints" / "__init__.py").touch()
    path = os.pathsep.join((str(tmp_path / "packages"), str(WORKER_IMAGE)))
    done = run("serve = supervisor.serve", tmp_path, PYTHONPATH=path)
    assert done.returncode == 1
    said = (tmp_path / "message").read_text()
    assert said.startswith("Unsupported: vLLM 0.11.0 is not supported by this worker, which starts 0.32.x")
