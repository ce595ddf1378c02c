"""Which allocator is preloaded, and that the process is begun anew once, as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.worker.conftest import WORKER_IMAGE
from tidegate_worker.preload import candidates, choose_allocator, command

TCMALLOC = Path("/usr/lib/libtcmalloc_minimal.so.4")


def test_the_best_allocator_that_the_image_has_is_taken(tmp_path: Path) -> None:
    for name in ("libjemalloc.so.2", "libtcmalloc.so.4", "libtcmalloc_minimal.so.4"):
        (tmp_path / name).touch()
    found = candidates(["/nowhere", str(tmp_path)])
    assert [path.name for path in found] == ["libtcmalloc_minimal.so.4", "libtcmalloc.so.4"]
    assert choose_allocator({}, found) == found[0]
    assert choose_allocator({"LD_PRELOAD": "/opt/libiomp5.so"}, found) == found[0]
    assert choose_allocator({}, []) is None


@pytest.mark.parametrize(
    "environment",
    [
        {"LD_PRELOAD": "/usr/lib/libtcmalloc_minimal.so.4:/opt/venv/lib/libiomp5.so"},
        {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"},
        {"TIDEGATE_ALLOCATOR": "none"},
        {"TIDEGATE_PRELOADED": "1"},
        {"TIDEGATE_ALLOCATOR": "/nowhere/libmine.so"},
    ],
    ids=["vllm's image", "another", "none wanted", "done", "not there"],
)
def test_nothing_is_preloaded_twice_or_against_the_users_will(environment: dict[str, str]) -> None:
    assert choose_allocator(environment, [TCMALLOC]) is None


def test_a_library_that_the_user_names_is_the_one(tmp_path: Path) -> None:
    mine = tmp_path / "libmine.so"
    mine.touch()
    assert choose_allocator({"TIDEGATE_ALLOCATOR": str(mine)}, [TCMALLOC]) == mine


def test_the_process_is_begun_anew_with_its_own_command_line_and_only_once(tmp_path: Path) -> None:
    """With a library that is none: the loader says so and goes on, which shows that it was told of it."""
    library = tmp_path / "libmine.so"
    library.touch()
    script = tmp_path / "script.py"
    script.write_text(
        f"import os, sys\nsys.path.insert(0, {str(WORKER_IMAGE)!r})\n"
        "from tidegate_worker.preload import preload_allocator\npreload_allocator(os.environ)\n"
        "print(os.getpid(), os.environ['LD_PRELOAD'], sys.flags.dont_write_bytecode, *sys.argv[1:])\n"
    )
    environment = {**os.environ, "TIDEGATE_ALLOCATOR": str(library), "LD_PRELOAD": ""}
    environment.pop("TIDEGATE_PRELOADED", None)
    words = [sys.executable, "-B", str(script), "--model", "a b"]
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    said, _ = process.communicate(timeout=60)
    assert said.split() == [str(process.pid), str(library), "1", "--model", "a", "b"]


def test_the_command_line_keeps_the_interpreters_options() -> None:
    assert command(["python3", "-X", "utf8", "entrypoint.py"])[1:] == ["-X", "utf8", "entrypoint.py"]
