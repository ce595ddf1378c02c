"""Workers as containers, over a stand-in for podman: started by its client, and never left behind."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import ENGINE, end_all, opened, script, until
from tidegate.local.processes.table import look_at
from tidegate.local.worker.template import WorkerTemplate

PODMAN = Path(__file__).with_name("fake_podman.py")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the stand-in keeps its containers; it is the podman on PATH."""
    programs, found = tmp_path / "bin", tmp_path / "containers"
    programs.mkdir()
    found.mkdir()
    (programs / "podman").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PODMAN}" "$@"\n')
    (programs / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PODMAN", str(found))
    yield found
    end_all(tmp_path / "state")
    for each in running(found):
        with suppress(ProcessLookupError):
            os.kill(each["pid"], signal.SIGKILL)


def container(port: int = 8000, **changes: Any) -> WorkerTemplate:
    command = (sys.executable, str(ENGINE), "--model", "m", "--port", str(port))
    fields = {"command": command, "runtime": "podman", "image": "image", "exclusive": True}
    return script("", **{**fields, **changes})


def running(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in folder.glob("*.json")]


def runs(pid: int) -> bool:
    seen = look_at(pid)
    return seen is not None and not seen.ended


async def test_a_container_is_ready_and_is_held_by_its_runtime(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path / "state") as pods:
        pods.node.create(container(pods.port))
        await pods.until_ready()
        (told,) = running(folder)
        annotations = pods.all()[0]["metadata"]["annotations"]
        assert annotations["tidegate.io/cores-by"] == annotations["tidegate.io/memory-by"] == "cgroup"
        assert told["words"][told["words"].index("--cpuset-cpus") + 1] == annotations["tidegate.io/cores"]
        assert told["pid"] not in pods.processes()
        pods.node.delete("default", pods.facts()[0].name)
        await until(lambda: not pods.all())
        assert not runs(told["pid"])


async def test_a_container_goes_with_its_client(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path / "state") as pods:
        pods.node.create(container(pods.port))
        pid = await pods.until_ready()
        (told,) = running(folder)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pods.container()["restartCount"] == 1)
        assert not runs(told["pid"])


async def test_a_container_goes_on_under_the_next_supervisor(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path / "state", leave=True) as pods:
        pods.node.create(container(pods.port))
        pid = await pods.until_ready()
        (told,) = running(folder)
    async with opened(tmp_path / "state") as pods:
        assert await pods.until_ready() == pid
        assert runs(told["pid"])


async def test_a_container_whose_client_ended_meanwhile_is_removed(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path / "state", leave=True) as pods:
        pods.node.create(container(pods.port))
        pid = await pods.until_ready()
        (told,) = running(folder)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not runs(pid))  # else it is adopted, and its end is told a little after
    async with opened(tmp_path / "state") as pods:
        await until(lambda: not runs(told["pid"]))
        assert pods.facts()[0].ended


async def test_a_runtime_that_is_not_there_is_a_cause(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(container(runtime="no-such-runtime"))
        cause = await until(lambda: pods.facts()[0].cause)
        assert cause.reason == "ContainerRuntime"
        assert cause.message.startswith("no-such-runtime: is not on PATH")
