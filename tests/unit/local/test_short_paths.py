"""Temporary files of a worker whose state folder lies deep."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.local.templates import new
from tidegate.local.worker.short_paths import LONGEST, remove_short_name, short_name, shorten
from tidegate.local.worker.worker_files import WorkerFiles

STATE = replace(new(), uid=str(uuid.UUID(int=1)))


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A user's runtime folder, whose path is short."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="r") as name:
        yield Path(name)


@pytest.fixture
def files(tmp_path: Path) -> WorkerFiles:
    """Of a state folder with a path that is too long."""
    found = WorkerFiles(tmp_path / ("x" * 100))
    found.make()
    return found


def listens(folder: Path) -> None:
    """As vLLM does, whose sockets are named by a UUID."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/{uuid.uuid4()}")


def test_a_socket_can_be_made_in_it_and_lies_in_the_state_folder(files: WorkerFiles, runtime: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        listens(files.scratch(STATE.uid))
    files.begin(STATE, str(runtime))
    temporary = files.temporary(STATE.uid)
    assert temporary.is_relative_to(runtime)
    assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
    listens(temporary)
    assert any(each.is_socket() for each in files.scratch(STATE.uid).iterdir())


def test_a_path_that_is_short_enough_stays_as_it_is(runtime: Path) -> None:
    longest = runtime / ("y" * (LONGEST - len(str(runtime)) - 1))
    longest.mkdir()
    shorten(longest, str(runtime))
    assert short_name(longest) is None
    listens(longest)


@pytest.mark.parametrize("by", ["forget", "clear"])
def test_nothing_stays_of_a_worker_that_is_gone(by: str, files: WorkerFiles, runtime: Path) -> None:
    """``clear``: by the next supervisor, after a crash."""
    files.begin(STATE, str(runtime))
    assert list(runtime.iterdir())
    if by == "forget":
        files.forget(STATE.uid)
    else:
        WorkerFiles(files.state).clear(set())
    assert list(runtime.iterdir()) == []
    assert not files.scratch(STATE.uid).exists()


def test_the_next_process_of_a_worker_has_the_same_name(files: WorkerFiles, runtime: Path) -> None:
    files.begin(STATE, str(runtime))
    first = files.temporary(STATE.uid)
    files.begin(STATE, str(runtime))
    assert files.temporary(STATE.uid) == first
    assert len(list(runtime.iterdir())) == 1


def test_a_name_that_was_cleared_away_is_made_anew(files: WorkerFiles, runtime: Path) -> None:
    files.begin(STATE, str(runtime))
    files.temporary(STATE.uid).unlink()
    files.begin(STATE, str(runtime))
    assert files.temporary(STATE.uid).is_relative_to(runtime)
    assert len(list(runtime.iterdir())) == 1


@pytest.mark.parametrize("given", ["", "relative", "/no/such/folder", "/" + "z" * 100])
def test_without_a_runtime_folder_it_is_a_folder_of_this_user_in_tmp(given: str, files: WorkerFiles) -> None:
    files.begin(STATE, given)
    temporary = files.temporary(STATE.uid)
    try:
        assert temporary.parent.parent == Path("/tmp")  # noqa: S108
        assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
        listens(temporary)
    finally:
        files.forget(STATE.uid)
    assert not temporary.parent.exists()


def test_a_crash_before_the_name_was_made_leaves_nothing(files: WorkerFiles, runtime: Path) -> None:
    scratch = files.scratch(STATE.uid)
    scratch.mkdir()
    for made in ("nothing", "folder"):
        holder = runtime / made
        (scratch / ".short").symlink_to(holder)
        if made == "folder":
            holder.mkdir(mode=0o700)
        assert short_name(scratch) is None
        remove_short_name(scratch)
        assert not holder.exists()
        assert list(scratch.iterdir()) == []


def test_what_has_another_content_is_not_ours_and_stays(files: WorkerFiles, runtime: Path) -> None:
    scratch = files.scratch(STATE.uid)
    scratch.mkdir()
    (runtime / "t").symlink_to("/somewhere")
    (scratch / ".short").symlink_to(runtime)
    assert short_name(scratch) is None
    files.forget(STATE.uid)
    assert os.readlink(runtime / "t") == "/somewhere"  # noqa: PTH115


def test_a_container_needs_none(files: WorkerFiles, runtime: Path) -> None:
    files.begin(replace(STATE, spec=replace(STATE.spec, runtime="podman")), str(runtime))
    assert list(runtime.iterdir()) == []
