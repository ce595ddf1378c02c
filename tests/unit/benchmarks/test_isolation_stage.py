"""Workers that are not measured stand still meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from isolation import stage
from isolation.stage import Stage, Worker


@pytest.fixture
def idle() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_other_workers_are_stopped_while_one_is_measured_and_go_on_afterwards(
    idle: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for uid, pid in (("measured", os.getpid()), ("other", idle.pid)):
        (tmp_path / uid).mkdir()
        (tmp_path / uid / "cgroup.procs").write_text(f"{pid}\n")
    monkeypatch.setattr(stage, "pod_groups", lambda uid: [tmp_path / uid])
    workers = {name: Worker("10.0.0.1", name) for name in ("measured", "other")}
    with httpx.Client() as client, Stage(client, workers).alone(["measured"]):
        assert os.WIFSTOPPED(os.waitpid(idle.pid, os.WUNTRACED)[1])
    assert os.WIFCONTINUED(os.waitpid(idle.pid, os.WCONTINUED)[1])


def test_a_worker_that_has_ended_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup.procs").write_text("4194305\n")  # above the kernel's largest pid
    monkeypatch.setattr(stage, "pod_groups", lambda _: [tmp_path])
    with httpx.Client() as client, Stage(client, {"gone": Worker("10.0.0.1", "gone")}).alone([]):
        pass
