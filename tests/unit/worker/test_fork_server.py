"""Processes of the spawn context that are forked from one that has imported all, and when they are not."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKER_IMAGE = Path(__file__).resolve().parents[3] / "worker-image"
# A module that is expensive to import, and what a process of it does.
JOB = """
import os, sys, time
with open(os.environ["IMPORTS"], "a") as file:
    file.write("imported\\n")

def tell(queue):
    queue.put({
        "parent": os.getppid(),
        "colour": os.environ.get("COLOUR"),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "tracks": sys.flags.dont_write_bytecode,
    })

def leave(code):
    sys.exit(code)

def sleep():
    time.sleep(600)
"""
PROGRAM = """
import json, multiprocessing, os, signal, sys, threading
from tidegate_worker import fork_server
spawn = multiprocessing.get_context("spawn")

def started():
    queue = spawn.Queue()
    process = spawn.Process(target=job.tell, args=(queue,))
    process.start()
    said = queue.get(timeout=60)
    process.join(60)
    return said | {"code": process.exitcode}

if __name__ == "__main__":
    import job
"""


@pytest.fixture
def imports(tmp_path: Path) -> Path:
    """A line for each time that the module was imported."""
    return tmp_path / "imports"


@pytest.fixture
def run(tmp_path: Path, imports: Path) -> Any:
    """Runs a program's lines in a process of its own; what it printed as JSON."""
    (tmp_path / "job.py").write_text(JOB)

    def runner(lines: str) -> Any:
        (tmp_path / "program.py").write_text(PROGRAM + "".join(f"    {line}\n" for line in lines.split("\n")))
        done = subprocess.run(
            [sys.executable, str(tmp_path / "program.py")],
            env=environment(tmp_path, imports),
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return runner


def environment(folder: Path, imports: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": f"{WORKER_IMAGE}:{folder}",
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "IMPORTS": str(imports),
        "OMP_NUM_THREADS": "1",
    }


def test_a_process_is_forked_by_the_server_and_imports_nothing_again(run: Any, imports: Path) -> None:
    why, me, said = run(
        "why = fork_server.start_fork_server()\nprint(json.dumps([why, os.getpid(), started()]))"
    )
    assert why is None
    assert said["parent"] != me, "its parent is the server"
    assert said["code"] == 0
    assert imports.read_text() == "imported\n"


def test_a_forked_process_has_the_environment_of_the_moment_when_it_is_started(run: Any) -> None:
    said = run('fork_server.start_fork_server()\nos.environ["COLOUR"] = "blue"\nprint(json.dumps(started()))')
    assert said["colour"] == "blue"


def test_a_process_with_other_openmp_variables_gets_an_interpreter_that_reads_them(
    run: Any, imports: Path
) -> None:
    said = run(
        'fork_server.start_fork_server()\nos.environ["OMP_NUM_THREADS"] = "2"\nprint(json.dumps(started()))'
    )
    assert said["threads"] == "2"
    assert imports.read_text() == "imported\n" * 2


def test_exit_codes_and_signals_of_forked_processes_arrive(run: Any) -> None:
    codes = run(
        "fork_server.start_fork_server()\n"
        "one = spawn.Process(target=job.leave, args=(7,))\n"
        "two = spawn.Process(target=job.sleep)\n"
        "one.start(); two.start(); one.join(60)\n"
        "alive = two.is_alive() and two in multiprocessing.active_children()\n"
        "two.kill(); two.join(60)\n"
        "print(json.dumps([one.exitcode, alive, two.exitcode]))"
    )
    assert codes == [7, True, -9]


def test_a_server_that_was_killed_is_replaced_by_the_stock_way(run: Any, imports: Path) -> None:
    one, two = run(
        "fork_server.start_fork_server()\n"
        "one = started()\n"
        'os.kill(one["parent"], signal.SIGKILL)\n'
        'os.waitpid(one["parent"], 0)\n'
        "print(json.dumps([one, started()]))"
    )
    assert (one["code"], two["code"]) == (0, 0)
    assert imports.read_text() == "imported\n" * 2


def test_a_process_that_has_threads_is_not_forked(run: Any, imports: Path) -> None:
    why, said = run(
        "done = threading.Event()\n"
        "threading.Thread(target=done.wait).start()\n"
        "why = fork_server.start_fork_server()\n"
        "done.set()\n"
        "print(json.dumps([why, started()]))"
    )
    assert why == "this process has 2 threads already, and a fork takes over one"
    assert said["code"] == 0
    assert imports.read_text() == "imported\n" * 2


REPLACED = {
    "a server with other arguments": ("fork_server.forkserver.main = lambda port: None", "another one"),
    "a server without its field": ("del fork_server.forkserver._forkserver._forkserver_address", "fields"),
    "a server that runs": ("fork_server.forkserver.ensure_running()", "runs already"),
    "another process class": ("spawn.Process = type('Other', (spawn.Process,), {})", "something else"),
}


@pytest.mark.parametrize("replaced", REPLACED)
def test_what_is_not_as_expected_is_left_as_it_is(run: Any, replaced: str) -> None:
    line, words = REPLACED[replaced]
    why, same = run(
        f"{line}\nbefore = spawn.Process\nwhy = fork_server.start_fork_server()\n"
        "print(json.dumps([why, spawn.Process is before]))"
    )
    assert words in why
    assert same


def test_no_place_for_the_socket_is_no_failure(run: Any) -> None:
    why, said = run(
        "def refuse(family): raise PermissionError(13, 'Permission denied')\n"
        "fork_server.connection.arbitrary_address = refuse\n"
        "print(json.dumps([fork_server.start_fork_server(), started()]))"
    )
    assert why == "no socket or process for it: Permission denied"
    assert said["code"] == 0


def test_the_server_ends_with_a_process_that_is_killed(tmp_path: Path, imports: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "program.py").write_text(
        PROGRAM + "    fork_server.start_fork_server()\n"
        '    print(started()["parent"], flush=True)\n    signal.pause()\n'
    )
    words = [sys.executable, str(tmp_path / "program.py")]
    with subprocess.Popen(words, env=environment(tmp_path, imports), text=True, stdout=-1) as program:
        assert program.stdout is not None
        with os.fdopen(os.pidfd_open(int(program.stdout.readline()))) as server:
            program.kill()
            assert select.select([server], [], [], 60)[0], "the server still runs"
