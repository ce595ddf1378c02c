"""Each way to fail, provoked for real: the line that the user will read is right."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.vllm.worker_process import START_SECONDS, Starter, Worker

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800)]


def ends_with(worker: Worker) -> str:
    """The one line that a worker leaves which fails."""
    assert worker.wait_end(START_SECONDS) != 0
    text = worker.message.read_text()
    assert text.count("\n") == 1
    return text


def test_a_model_that_does_not_exist_is_named_before_anything_is_imported(
    start: Starter, tiny_chat: Path
) -> None:
    missing = tiny_chat.with_name("tiny-chta")
    worker = start(missing)
    assert worker.wait_end(60) != 0
    assert worker.message.read_text().startswith(f"ModelNotFound: {missing} does not exist in the worker")


def test_an_option_that_vllm_does_not_know_is_named(start: Starter, tiny_chat: Path) -> None:
    line = ends_with(start(tiny_chat, "--max-num-seqss", "8"))
    assert line == "BadArgument: unrecognized arguments: --max-num-seqss\n"


def test_an_option_that_does_not_fit_the_model_is_explained(start: Starter, tiny_chat: Path) -> None:
    line = ends_with(start(tiny_chat, "--max-model-len", "100000"))
    assert line.startswith("BadArgument: User-specified max_model_len (100000) is greater than")


def test_truncated_weights_are_named(start: Starter, tiny_chat: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_chat, tmp_path / "broken")
    os.truncate(broken / "model.safetensors", 500_000)
    line = ends_with(start(broken, "--enforce-eager"))
    assert line.startswith("EngineFailed: SafetensorError: Error while deserializing header: incomplete")


def test_a_model_that_vllm_has_no_code_for_is_named(start: Starter, tiny_chat: Path, tmp_path: Path) -> None:
    strange = shutil.copytree(tiny_chat, tmp_path / "strange")
    config = json.loads((strange / "config.json").read_text())
    (strange / "config.json").write_text(json.dumps({**config, "architectures": ["NobodysForCausalLM"]}))
    assert ends_with(start(strange)).startswith("Unsupported: ")


def test_a_cache_that_memory_cannot_hold_is_out_of_memory(start: Starter, tiny_chat: Path) -> None:
    line = ends_with(start(tiny_chat, "--enforce-eager", "--kv-cache-memory-bytes", "1000G"))
    assert line.startswith("OutOfMemory: ")


def test_an_engine_that_is_killed_ends_the_worker_with_a_cause(start: Starter, tiny_chat: Path) -> None:
    worker = start(tiny_chat, "--enforce-eager")
    worker.wait_ready()
    for engine in processes_named("VLLM::EngineCore", below=worker.process.pid):
        os.kill(engine, signal.SIGKILL)
    line = ends_with(worker)
    assert line.startswith("EngineFailed: The engine ended with code 0 without a message, as when a part")


def processes_named(name: str, below: int) -> list[int]:
    """Process numbers of that command line somewhere below a process; not empty."""
    parents = {pid: parent for pid, parent, _ in _processes()}
    found = [pid for pid, _, words in _processes() if name in words and _is_below(pid, below, parents)]
    assert found
    return found


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != ancestor:
        pid = parents[pid]
    return pid == ancestor


def _processes() -> list[tuple[int, int, str]]:
    """Number, parent's number and command line of each process."""
    rows = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (folder / "stat").is_file():
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            rows.append((int(folder.name), int(parent), words))
    return rows
