"""Containers that share cores, and containers that nobody remembers, over a stand-in for podman."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.component.local import test_node_containers as containers
from tests.component.local.node_harness import opened, until

folder = containers.folder


def cores_of(told: dict[str, Any]) -> set[int]:
    """Those that the runtime was last told."""
    words = told["words"]
    first, *more = (list(map(int, each.split("-"))) for each in _told(words).split(","))
    return {core for each in (first, *more) for core in range(each[0], each[-1] + 1)}


def _told(words: list[str]) -> str:
    return words[words.index("--cpuset-cpus") + 1]


async def test_one_that_shares_leaves_a_core_that_another_gets_also_when_that_fails_at_first(
    tmp_path: Path, folder: Path
) -> None:
    usable = os.sched_getaffinity(0)
    if len(usable) < 2:
        pytest.skip("one core cannot be shared and given")
    async with opened(tmp_path / "state") as pods:
        pods.node.create(containers.container(pods.port, exclusive=False))
        await pods.until_ready()
        (shared,) = containers.running(folder)
        assert cores_of(shared) == usable
        (folder / "no-update").touch()
        pods.node.create(containers.container(pods.port))
        await pods.until_ready(1)
        (own,) = [each for each in containers.running(folder) if each["pid"] != shared["pid"]]
        (folder / "no-update").unlink()

        def moved() -> bool:
            (now,) = [each for each in containers.running(folder) if each["pid"] == shared["pid"]]
            return cores_of(now) == usable - cores_of(own)

        await until(moved)


async def test_a_container_is_found_that_no_record_tells_of(tmp_path: Path, folder: Path) -> None:
    state = tmp_path / "state"
    async with opened(state, leave=True) as pods:
        pods.node.create(containers.container(pods.port))
        pid = await pods.until_ready()
        (told,) = containers.running(folder)
    os.kill(pid, signal.SIGKILL)
    for record in (state / "workers").iterdir():
        record.unlink()
    working = tmp_path / "bin/podman"
    kept = working.read_text()
    working.write_text("#!/bin/sh\necho no daemon >&2; exit 1\n")
    async with opened(state):
        assert containers.runs(told["pid"])
    working.write_text(kept)
    async with opened(state):
        assert not containers.runs(told["pid"])
    assert (state / "runtimes").read_text() == "", "it is not asked for ever"
