"""A slow disk holds up neither the event loop nor what must be known before a start."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import opened, shell, until
from tidegate.local.machine import node_host
from tidegate.local.processes.launching import Launch, launch
from tidegate.local.worker.pod_state import PodState
from tidegate.local.worker.worker_files import WorkerFiles


async def test_files_are_written_and_removed_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {"remember": set(), "rmtree": set()}
    remember, rmtree = WorkerFiles.remember, shutil.rmtree

    def remembering(files: WorkerFiles, state: PodState) -> None:
        threads["remember"].add(threading.get_ident())
        remember(files, state)

    def removing(*words: Any, **more: Any) -> None:
        threads["rmtree"].add(threading.get_ident())
        rmtree(*words, **more)

    monkeypatch.setattr(WorkerFiles, "remember", remembering)
    monkeypatch.setattr(shutil, "rmtree", removing)
    async with opened(tmp_path) as pods:
        name = pods.node.create(shell('echo x > "$TMPDIR/file"; echo there; sleep 600'))
        assert await pods.first_line(name) == "there"
        pods.node.delete("default", name)
        await until(lambda: not pods.all())
        await until(lambda: not list((tmp_path / "tmp").iterdir()))
    assert all(threads.values())
    assert threading.get_ident() not in threads["remember"] | threads["rmtree"]


async def test_a_worker_is_written_down_before_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[bool] = []
    remember = WorkerFiles.remember

    def slowly(files: WorkerFiles, state: PodState) -> None:
        time.sleep(0.2)
        remember(files, state)

    def spied(order: Launch) -> int:
        known.append(any((tmp_path / "workers").glob("*.json")))
        return launch(order)

    monkeypatch.setattr(WorkerFiles, "remember", slowly)
    monkeypatch.setattr(node_host, "launch", spied)
    async with opened(tmp_path) as pods:
        pods.node.create(shell("sleep 600"))
        await until(pods.pid)
    assert known[0]


async def test_all_is_written_down_when_a_node_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = WorkerFiles.remember

    def slowly(files: WorkerFiles, state: PodState) -> None:
        time.sleep(0.2)
        remember(files, state)

    monkeypatch.setattr(WorkerFiles, "remember", slowly)
    async with opened(tmp_path, leave=True) as pods:
        pods.node.create(shell("sleep 600"))
        pid = await until(pods.pid)
    ((_, state),) = WorkerFiles(tmp_path).records()
    async with opened(tmp_path) as pods:
        assert pods.pid() == pid
    assert state is not None
    assert state.process is not None
    assert state.process.pid == pid
