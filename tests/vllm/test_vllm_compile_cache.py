"""A real vLLM that compiles: what one worker has compiled, the next one does not compile again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.vllm.worker_process import Starter

COMPILERS = ("c++", "g++", "clang++")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C++ compiler: the worker is eager"),
]


def compiled(cache: Path) -> dict[Path, int]:
    """The machine code in the cache, with the time at which each file was written."""
    return {file: file.stat().st_mtime_ns for file in cache.rglob("*.so")}


def test_a_second_worker_finds_what_the_first_has_compiled(
    start: Starter, tiny_chat: Path, tmp_path: Path
) -> None:
    found = []
    for _ in range(2):
        worker = start(tiny_chat, "--max-num-seqs", "8", TIDEGATE_COMPILE_CACHE=str(tmp_path))
        worker.wait_ready()
        assert worker.stop() == 0
        found.append(compiled(tmp_path))
    assert found[0], "nothing was compiled"
    assert found[1] == found[0]
    (build,) = tmp_path.iterdir()
    assert build.name.partition("-")[0].count(".") == 2  # the engine's version
