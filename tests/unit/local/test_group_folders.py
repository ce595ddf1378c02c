"""Control groups of workers go with them, though the kernel lets go of them late and wherever they are."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.unit.virtual_time import run
from tidegate.local.machine.adopting import adopt
from tidegate.local.processes.cgroups import Cgroups
from tidegate.local.processes.group_folders import GroupFolders, remove_groups
from tidegate.local.worker.worker_files import WorkerFiles


def group(parent: Path, uid: str = "uid") -> tuple[Path, Path]:
    """One that cannot be removed yet, as where the kernel counts a process; and what stands in the way."""
    folder = parent / uid
    folder.mkdir(parents=True)
    (folder / "counted").write_text("")
    return folder, folder / "counted"


def test_a_group_in_which_the_kernel_counts_an_ended_process_goes_as_soon_as_it_lets_go(
    tmp_path: Path,
) -> None:
    folder, counted = group(tmp_path)

    async def life() -> None:
        asyncio.get_running_loop().call_later(0.5, counted.unlink)
        await remove_groups(Cgroups({"memory": tmp_path}), "uid")

    run(life())
    assert not folder.exists()


def test_a_group_that_the_kernel_keeps_is_not_waited_for_without_end(tmp_path: Path) -> None:
    folder, _ = group(tmp_path)
    run(remove_groups(Cgroups({"memory": tmp_path}), "uid"))
    assert folder.exists()


@dataclass(frozen=True)
class Slow(Cgroups):
    """Of a kernel that lets go of a group at the third time."""

    asked: list[str] = field(default_factory=list)

    def remove(self, uid: str) -> bool:
        self.asked.append(uid)
        return len(self.asked) > 2 and super().remove(uid)


def test_who_takes_over_leaves_no_group_of_those_that_have_ended(tmp_path: Path) -> None:
    files = WorkerFiles(tmp_path / "state")
    files.make()
    (tmp_path / "groups/uid").mkdir(parents=True)
    cgroups = Slow({"memory": tmp_path / "groups"})
    assert adopt(files, cgroups, "boot", 0.0, threading.Event()) == []
    assert not (tmp_path / "groups/uid").exists()


def test_a_successor_elsewhere_removes_what_is_empty_and_remembers_what_is_not(tmp_path: Path) -> None:
    empty, held, own = (tmp_path / name for name in ("empty", "held", "own"))
    _, counted = group(held)
    (empty / "of a worker that has gone").mkdir(parents=True)
    GroupFolders(tmp_path / "groups").add([empty, held])
    own.mkdir()
    successor = GroupFolders(tmp_path / "groups")
    successor.add([own])
    successor.remove(keep=[own])
    assert [each.exists() for each in (empty, held, own)] == [False, True, True]
    counted.unlink()
    GroupFolders(tmp_path / "groups").remove()
    assert not held.exists()
    assert not own.exists()
    assert (tmp_path / "groups").read_text() == ""
