"""Control groups of workers go with them, though the kernel lets go of them late and wherever they are."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.virtual_time import run
from tidegate.local.machine import adopting
from tidegate.local.machine.adopting import adopt
from tidegate.local.processes.cgroups import Cgroups
from tidegate.local.processes.group_folders import GroupFolders, is_group, remove_groups
from tidegate.local.worker.worker_files import WorkerFiles

NAME = "tidegate-12345678"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What it says, if anything, of a group that cannot be removed yet: EBUSY where it counts a process."""
    said, rmdir = [errno.EBUSY], Path.rmdir

    def remove(folder: Path) -> None:
        if (folder / "counted").exists():
            raise OSError(said[0], "a group that cannot be removed")
        rmdir(folder)

    monkeypatch.setattr(Path, "rmdir", remove)
    return said


def folders(file: Path) -> GroupFolders:
    """Of an installation all of whose folders are control groups."""
    return GroupFolders(file, NAME, lambda folder: stat.S_ISDIR(folder.stat().st_mode))


def group(parent: Path, uid: str = "uid") -> tuple[Path, Path]:
    """One that cannot be removed yet, as where the kernel counts a process; and what stands in the way."""
    folder = parent / uid
    folder.mkdir(parents=True)
    (folder / "counted").write_text("")
    return folder, folder / "counted"


def test_a_group_in_which_the_kernel_counts_an_ended_process_goes_as_soon_as_it_lets_go(
    tmp_path: Path, kernel: list[int]
) -> None:
    folder, counted = group(tmp_path)

    async def life() -> None:
        asyncio.get_running_loop().call_later(0.5, counted.unlink)
        await remove_groups(Cgroups({"memory": tmp_path}), "uid")

    run(life())
    assert not folder.exists()


def test_a_group_that_the_kernel_keeps_is_not_waited_for_without_end(
    tmp_path: Path, kernel: list[int]
) -> None:
    folder, _ = group(tmp_path)
    cgroups = Counting({"memory": tmp_path})
    run(remove_groups(cgroups, "uid"))
    assert folder.exists()
    assert len(cgroups.asked) > 2


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOTEMPTY])
def test_nobody_waits_for_a_group_that_may_not_be_removed(
    tmp_path: Path, kernel: list[int], number: int
) -> None:
    folder, _ = group(tmp_path)
    kernel[:] = [number]
    cgroups = Counting({"memory": tmp_path})
    run(remove_groups(cgroups, "uid"))
    assert folder.exists()
    assert cgroups.asked == ["uid"]


@dataclass(frozen=True)
class Counting(Cgroups):
    """How often a group was to be removed."""

    asked: list[str] = field(default_factory=list)

    def remove(self, uid: str) -> bool:
        self.asked.append(uid)
        return super().remove(uid)


@dataclass(frozen=True)
class Slow(Cgroups):
    """Of a kernel that lets go of a group at the third time."""

    asked: list[str] = field(default_factory=list)

    def remove(self, uid: str) -> bool:
        self.asked.append(uid)
        return len(self.asked) > 2 and super().remove(uid)


def test_who_takes_over_leaves_no_group_of_those_that_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopting, "COUNTED_SECONDS", 600.0)  # however long this machine stands still
    files = WorkerFiles(tmp_path / "state")
    files.make()
    (tmp_path / "groups/uid").mkdir(parents=True)
    cgroups = Slow({"memory": tmp_path / "groups"})
    assert adopt(files, cgroups, "boot", 0.0, threading.Event()) == []
    assert not (tmp_path / "groups/uid").exists()


def test_a_successor_elsewhere_removes_what_is_empty_and_remembers_what_is_not(tmp_path: Path) -> None:
    empty, held, own = (tmp_path / each / NAME for each in ("empty", "held", "own"))
    _, counted = group(held)
    (empty / "of a worker that has gone").mkdir(parents=True)
    folders(tmp_path / "groups").add([empty, held])
    own.mkdir(parents=True)
    successor = folders(tmp_path / "groups")
    successor.add([own])
    successor.remove(keep=[own])
    assert [each.exists() for each in (empty, held, own)] == [False, True, True]
    counted.unlink()
    folders(tmp_path / "groups").remove()
    assert not held.exists()
    assert not own.exists()
    assert (tmp_path / "groups").read_text() == ""


def test_of_a_torn_or_edited_file_only_groups_of_this_installation_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other, relative = tmp_path / "a" / NAME, tmp_path / "a" / "tidegate-87654321", Path("b") / NAME
    kept = [other, tmp_path / relative, tmp_path / "empty"]
    for each in (ours, *kept):
        each.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    lines = ["", "\0", f"/\0/{NAME}", str(other), str(relative), f"{tmp_path}/{'x' * 5000}/{NAME}", str(ours)]
    (tmp_path / "groups").write_bytes("\n".join(lines).encode() + b"\n/\xff\xfe\n\xff")
    folders(tmp_path / "groups").add([])
    folders(tmp_path / "groups").remove()
    assert not ours.exists()
    assert all(each.is_dir() for each in kept)
    assert (tmp_path / "groups").read_text() == ""


def test_a_folder_that_is_no_control_group_is_let_be(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    assert not is_group(folder)
    known = GroupFolders(tmp_path / "groups", NAME)
    known.add([folder])
    known.remove()
    assert folder.is_dir()
    (folder / "cgroup.procs").write_text("")
    assert is_group(folder)


def test_the_file_of_groups_is_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        folders(tmp_path / "groups").add([tmp_path / NAME])
    finally:
        os.umask(before)
    assert (tmp_path / "groups").stat().st_mode & 0o777 == 0o600
