"""Workers whose predecessor's supervisor was in another control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.component.local.node_harness import engine, machine, opened, until
from tidegate.local.machine.node import Node
from tidegate.local.processes.cgroups import CPUSET, Cgroups, find_cgroups

ELSEWHERE = f"tidegate-elsewhere-{os.getpid()}"


@pytest.fixture
def elsewhere() -> Iterator[Cgroups]:
    found = find_cgroups(ELSEWHERE)
    try:
        if CPUSET not in found.parents or len(os.sched_getaffinity(0)) < 2:
            pytest.skip("this user may make no control groups with cores here, or has one core alone")
        yield found
    finally:
        for folder in set(found.parents.values()):
            with suppress(FileNotFoundError):
                folder.rmdir()


async def test_they_leave_cores_that_another_gets_and_their_groups_go_with_them(
    tmp_path: Path, elsewhere: Cgroups, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(Node, "_find_cgroups", lambda _: find_cgroups(ELSEWHERE))
        async with opened(tmp_path, cgroups=True, leave=True) as pods:
            pods.node.create(engine())
            pid = await pods.until_ready()
            folders = elsewhere.folders(pods.facts()[0].uid)
            assert folders
    async with opened(tmp_path, cgroups=True, machine=machine()) as pods:
        assert await pods.until_ready() == pid
        pods.node.create(engine(exclusive=True))
        own = await pods.until_ready(1)
        await until(lambda: not os.sched_getaffinity(pid) & os.sched_getaffinity(own))
        assert (folders[0] / "cpuset.cpus").read_text().strip()
    assert not any(folder.exists() for folder in (*folders, *(each.parent for each in folders)))
