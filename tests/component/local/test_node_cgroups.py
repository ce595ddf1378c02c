"""What the kernel holds workers to, where this user may make control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.local.node_harness import engine, machine, opened, script, until
from tidegate.local.processes.cgroups import CPUSET, MEMORY, Cgroups, find_cgroups

MIB = 1024**2
GREEDY = "import time; time.sleep(0.1); block = b'x' * (512 * 1024 * 1024); time.sleep(600)"


@pytest.fixture(autouse=True)
def groups() -> Iterator[Cgroups]:
    found = find_cgroups(f"tidegate-test-{os.getpid()}")
    try:
        if not {CPUSET, MEMORY} <= set(found.parents):
            pytest.skip("this user may make no control groups with cores and memory here")
        yield found
    finally:
        for folder in set(found.parents.values()):
            folder.rmdir()


def ours(pods: object, state: Path) -> list[Path]:
    """The groups that a node has made for its workers."""
    return list(pods.node._host.cgroups.folders(pods.facts()[0].uid))  # type: ignore[attr-defined]


def memberships(pid: int) -> str:
    """The groups that a process is in."""
    return Path(f"/proc/{pid}/cgroup").read_text()


async def test_a_worker_is_guaranteed_where_the_kernel_holds_it_to_cores_and_memory(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    given = machine(frozenset({core}))
    async with opened(tmp_path, cgroups=True, machine=given) as pods:
        pods.node.create(engine(exclusive=True, memory=512 * MIB))
        pid = await pods.until_ready()
        assert pods.facts()[0].guaranteed
        annotations = pods.all()[0]["metadata"]["annotations"]
        assert (annotations["tidegate.io/cores-by"], annotations["tidegate.io/memory-by"]) == (
            "cgroup",
            "cgroup",
        )
        with pytest.raises(OSError, match="Invalid argument"):  # affinity alone could be taken back
            os.sched_setaffinity(pid, os.sched_getaffinity(0) - {core} or {core + 1})
        folders = ours(pods, tmp_path)
        assert folders
    assert not any(folder.exists() for folder in folders)


async def test_a_worker_that_needs_more_memory_than_its_limit_is_told_so(tmp_path: Path) -> None:
    async with opened(tmp_path, cgroups=True) as pods:
        pods.node.create(script(GREEDY, memory=64 * MIB))
        await until(lambda: (cause := pods.facts()[0].cause) and cause.failure)
        cause = pods.facts()[0].cause
        assert cause is not None
        assert cause.reason == "OOMKilled"
        assert cause.message == "the engine needed more memory than resources.memory; the kernel killed it"


async def test_groups_of_a_predecessor_are_taken_over(tmp_path: Path) -> None:
    async with opened(tmp_path, cgroups=True, leave=True) as pods:
        pods.node.create(engine(memory=512 * MIB))
        pid = await pods.until_ready()
        folders = ours(pods, tmp_path)
    async with opened(tmp_path, cgroups=True) as pods:
        assert await pods.until_ready() == pid
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)


async def test_a_worker_knows_that_its_groups_are_its_own(tmp_path: Path) -> None:
    text = "import os, time; print(os.environ.get('TIDEGATE_OWN_CGROUP'), flush=True); time.sleep(600)"
    async with opened(tmp_path, cgroups=True) as pods:
        name = pods.node.create(script(text, memory=64 * MIB))
        assert await pods.first_line(name) == "1"
        assert pods.facts()[0].uid in memberships(pods.pid())


async def test_no_group_stays_when_all_workers_have_ended(tmp_path: Path) -> None:
    async with opened(tmp_path, cgroups=True) as pods:
        pods.node.create(engine(memory=512 * MIB))
        await pods.until_ready()
        parents = {folder.parent for folder in ours(pods, tmp_path)}
        await pods.node.end_all()
        assert parents
        assert not any(parent.exists() for parent in parents)
