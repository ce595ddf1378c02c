"""What a machine has for workers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tidegate.local.machine.inventory import find_devices, find_machine, find_topology, visible_devices


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        ("", ()),
        ("0", ("0",)),
        ("2, 0", ("2", "0")),
        ("GPU-1,GPU-2", ("GPU-1", "GPU-2")),
        ("-1", ()),
        ("0,-1,1", ("0",)),
        ("0,0", ("0",)),
    ],
)
def test_devices_are_those_that_the_variable_names(text: str, devices: tuple[str, ...]) -> None:
    assert visible_devices(text) == devices


async def test_a_variable_that_is_empty_hides_all_devices() -> None:
    assert await find_devices({"CUDA_VISIBLE_DEVICES": ""}) == ()


async def test_a_machine_has_the_cores_that_this_process_may_use() -> None:
    machine = await find_machine({"CUDA_VISIBLE_DEVICES": "3"})
    assert machine.cores == os.sched_getaffinity(0)
    assert 0 < machine.memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine.devices == ("3",)


def test_the_kernel_tells_which_threads_share_a_core_and_where_it_is(tmp_path: Path) -> None:
    for core, (siblings, node) in {0: ("0,2", 0), 1: ("1,3", 1), 2: ("0,2", 0)}.items():
        folder = tmp_path / f"cpu{core}"
        (folder / "topology").mkdir(parents=True)
        (folder / "topology/thread_siblings_list").write_text(siblings + "\n")
        (folder / f"node{node}").mkdir()
    topology = find_topology(frozenset({0, 1, 2, 9}), tmp_path)
    assert [topology.core(core) for core in (0, 1, 2, 9)] == [0, 1, 0, 9]
    assert [topology.node(core) for core in (0, 1, 2, 9)] == [0, 1, 0, 0]
