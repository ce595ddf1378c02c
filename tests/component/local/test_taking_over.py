"""A supervisor that is told to end while it still takes over what another one left."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.local.node_harness import PATIENCE, end_all, opened, processes_of, shell, until
from tidegate.local.machine import adopting
from tidegate.local.machine.node import Node
from tidegate.local.processes.cgroups import Cgroups
from tidegate.local.processes.table import boot_id
from tidegate.local.worker.worker_files import WorkerFiles


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    end_all(tmp_path / "state")


async def test_what_it_still_waits_for_is_left_to_the_next_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(shell("exec sleep 600"))
        await until(pods.pid)
    record = next((state / "workers").glob("*.json"))
    record.write_text("{")  # so that it is nobody's
    monkeypatch.setattr(adopting, "CLEAR_SECONDS", 10 * PATIENCE)
    tries: list[int] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: tries.append(1))
    taking = asyncio.create_task(adopting.take_over(WorkerFiles(state), Cgroups(), boot_id(), 0.0))
    await until(lambda: len(tries) > 1)
    taking.cancel()
    done, _ = await asyncio.wait((taking,), timeout=PATIENCE)
    assert done
    assert taking.cancelled()
    before = len(tries)
    assert record.exists()
    assert processes_of(state)
    monkeypatch.undo()
    async with opened(state) as pods:
        assert not pods.all()
        assert not processes_of(state)
    assert len(tries) == before


async def test_all_end_where_nothing_looks_after_them_and_why_not_is_raised(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(shell("exec sleep 600"))
        await until(pods.pid)
        settings = pods.node._settings
    node = Node(settings)
    await node.open()
    try:
        with monkeypatch.context() as broken:
            broken.setattr(Node, "run", fails)
            with pytest.raises(ValueError, match="it cannot run"):
                await asyncio.wait_for(node.end_all(at_once=True), PATIENCE)
        await asyncio.wait_for(node.end_all(at_once=True), PATIENCE)
        assert not processes_of(state)
    finally:
        node.close()


async def fails(_: Node) -> None:
    """Instead of looking after workers."""
    raise ValueError("it cannot run")
