"""Both ways in, the image's entrypoint and ``python -m tidegate_worker``, and what spawned processes have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.worker.conftest import WORKER_IMAGE

# Stands in for the worker's supervisor: spawns a process as vLLM does, which says how its collector is set.
SUPERVISOR = """
import sys, types

def supervise(words, environment):
    import multiprocessing, spawned
    process = multiprocessing.get_context("spawn").Process(target=spawned.tell)
    process.start()
    process.join()
    print("ended", process.exitcode, *words, flush=True)
    return 3

module = types.ModuleType("tidegate_worker.supervisor")
module.supervise = supervise
sys.modules[module.__name__] = module
"""
SPAWNED = """
import gc

def tell():
    print("thresholds", *gc.get_threshold(), flush=True)
"""
WAYS = {
    "the image's": [str(WORKER_IMAGE / "entrypoint.py")],
    "a module": ["-P", "-m", "tidegate_worker"],
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_spawned_process_has_the_collectors_pace_too(way: list[str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SUPERVISOR)
    (tmp_path / "spawned.py").write_text(SPAWNED)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{WORKER_IMAGE}",
        "TIDEGATE_ALLOCATOR": "none",
    }
    done = subprocess.run(
        [sys.executable, *way, "--port", "8000"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.returncode) == (
        ["thresholds 5000 20 100", "ended 0 --port 8000"],
        3,
    ), done.stderr


def test_a_worker_that_is_begun_anew_with_an_allocator_is_the_same_command(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\nmodule = types.ModuleType('tidegate_worker.supervisor')\n"
        "module.supervise = lambda words, given: print(*words, given['TIDEGATE_PRELOADED']) or 0\n"
        "sys.modules[module.__name__] = module\n"
    )
    (tmp_path / "libmine.so").touch()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{WORKER_IMAGE}",
        "TIDEGATE_ALLOCATOR": str(tmp_path / "libmine.so"),
    }
    environment.pop("TIDEGATE_PRELOADED", None)
    command = [sys.executable, *WAYS["a module"], "--model", "a/b"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("--model a/b 1\n", 0), done.stderr
