"""The first process of the worker, with something smaller than vLLM as its child."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
Start = Callable[..., "subprocess.Popen[str]"]
PROGRAM = """
import os, sys, tidegate_worker.supervisor as supervisor
{serve}
supervisor.serve = serve
sys.exit(supervisor.supervise(["--model", "some/model", "--port", "0"], os.environ))
"""
WAITS = """
def serve(words, watch):
    import signal
    from tidegate_worker.start_marks import PARTS
    for part in PARTS:
        watch.mark(part)
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
    print("serving", os.getpid(), flush=True)
    signal.pause()
"""


def serving(worker: subprocess.Popen[str]) -> int:
    """The child's process number, once it serves."""
    assert worker.stdout is not None
    return next(int(line.split()[1]) for line in worker.stdout if line.startswith("serving "))


@pytest.fixture
def message(tmp_path: Path) -> Path:
    return tmp_path / "termination-message"


@pytest.fixture
def start(message: Path, tmp_path: Path) -> Start:
    """Starts a supervisor whose child runs the given function."""

    def starter(serve: str, **more: str) -> subprocess.Popen[str]:
        environment = {
            "PYTHONPATH": str(WORKER_IMAGE),
            "TIDEGATE_TERMINATION_MESSAGE": str(message),
            "HOME": str(tmp_path),
            "TIDEGATE_ISOLATION_PORT": "0",
            **more,
        }
        words = [sys.executable, "-c", PROGRAM.format(serve=serve)]
        return subprocess.Popen(words, env=environment, text=True, stdout=-1, stderr=-1)

    return starter


def test_a_failing_engine_leaves_its_last_sentence_and_its_code(start: Start, message: Path) -> None:
    worker = start(
        "def serve(words, watch): raise SystemExit(print('MemoryError: no room', flush=True) or 3)"
    )
    output, _ = worker.communicate(timeout=120)
    assert worker.returncode == 3
    assert "MemoryError: no room" in output
    line = message.read_text()
    assert line.startswith("OutOfMemory: MemoryError: no room. Give it more memory")
    assert line.count("\n") == 1


def test_an_engine_that_ends_by_itself_without_an_error_has_failed_all_the_same(
    start: Start, message: Path
) -> None:
    worker = start("def serve(words, watch): pass")
    worker.communicate(timeout=120)
    assert worker.returncode not in (0, None)
    assert message.read_text().startswith("EngineFailed: The engine ended with code 0")


def test_a_killed_engine_is_reported_with_its_signal(start: Start, message: Path) -> None:
    worker = start("def serve(words, watch): os.kill(os.getpid(), 9)")
    worker.communicate(timeout=120)
    assert worker.returncode == 128 + 9
    assert message.read_text().startswith("EngineKilled: The engine was ended by signal 9 (SIGKILL).")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_was_told_to_stop_ends_well_and_leaves_no_message(
    start: Start, message: Path, number: signal.Signals
) -> None:
    worker = start(WAITS)
    serving(worker)
    worker.send_signal(number)
    worker.communicate(timeout=120)
    assert worker.returncode == 0
    assert not message.exists()


STARTS = """
def serve(words, watch):
    import signal
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0))
    watch.mark("imports")
    print("serving", os.getpid(), flush=True)
    signal.pause()
"""
HANGS = STARTS.replace("signal.pause()", "os.kill(os.getpid(), signal.SIGSTOP)")


@pytest.mark.parametrize("serve", [STARTS, HANGS], ids=["starts", "hangs"])
def test_a_start_that_is_stopped_ends_even_if_it_hangs_and_says_how_far_it_was(
    start: Start, message: Path, serve: str
) -> None:
    worker = start(serve)
    child = serving(worker)
    if serve is HANGS:
        _wait_stopped(child)
    worker.terminate()
    worker.communicate(timeout=120)
    assert worker.returncode == 0
    assert (
        message.read_text() == "the engine was reading the model's configuration when it was told to stop\n"
    )


def _wait_stopped(process: int) -> None:
    """Until the process hears no signal but SIGKILL."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_of_the_engine_that_a_signal_ended_is_the_cause(start: Start, message: Path) -> None:
    said = '{"worker": "engine ended", "process": "EngineCore", "code": -11}'
    worker = start(f"def serve(words, watch): print({said!r}, flush=True)")
    worker.communicate(timeout=120)
    assert worker.returncode not in (0, None)
    assert message.read_text().startswith("EngineKilled: EngineCore was ended by signal 11 (SIGSEGV).")


def test_a_folder_that_cannot_be_written_is_the_cause_before_anything_is_started(
    start: Start, message: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    worker = start(WAITS, HF_HOME=str(tmp_path / "file" / "cache"))
    output, _ = worker.communicate(timeout=120)
    assert worker.returncode == 1
    assert "serving" not in output
    assert message.read_text().startswith(f"NotWritable: {tmp_path / 'file' / 'cache'} (HF_HOME) cannot be")


def test_the_child_ends_with_a_supervisor_that_is_killed(start: Start) -> None:
    worker = start(WAITS)
    with os.fdopen(os.pidfd_open(serving(worker))) as child:
        worker.kill()
        worker.communicate(timeout=120)
        assert select.select([child], [], [], 60)[0], "the child still runs"


def test_what_was_chosen_is_said_in_one_json_line(start: Start) -> None:
    output, _ = start("def serve(words, watch): print(words, flush=True)").communicate(timeout=120)
    prepared, *others = output.splitlines()
    said = json.loads(prepared)
    assert said["worker"] == "prepared"
    assert said["environment"]["RAYON_NUM_THREADS"].isdecimal()
    assert "--middleware=tidegate_worker.drain.Drain" in next(line for line in others if line.startswith("["))


def test_a_worker_tells_of_its_engines_cores(start: Start) -> None:
    worker = start(WAITS)
    assert worker.stdout is not None
    said = (json.loads(line) for line in worker.stdout if line.startswith('{"worker": "isolation"'))
    port = next(said)["port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/isolation", timeout=120) as response:
        told = json.load(response)
    worker.terminate()
    worker.communicate(timeout=120)
    assert told["engineCores"] == told["containerCores"] == len(os.sched_getaffinity(0))
