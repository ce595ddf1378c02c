"""Whose worker a process is, by its mark."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from tidegate.local.worker.worker_files import WorkerFiles

UID = str(uuid.UUID(int=7))


def files(state: Path) -> WorkerFiles:
    found = WorkerFiles(state)
    found.make()
    return found


def test_the_mark_is_the_same_for_the_next_supervisor_of_a_folder(tmp_path: Path) -> None:
    mark = files(tmp_path / "a").mark(UID)
    assert files(tmp_path / "a").marked(mark) == UID
    assert (tmp_path / "a/identity").stat().st_mode & 0o777 == 0o600


def test_a_folder_at_the_same_path_that_is_another_one_has_another_mark(tmp_path: Path) -> None:
    mark = files(tmp_path / "a").mark(UID)
    shutil.rmtree(tmp_path / "a")
    assert files(tmp_path / "a").marked(mark) == ""


def test_a_folder_whose_path_goes_on_with_a_colon_is_another_one(tmp_path: Path) -> None:
    short, long = files(tmp_path / "a"), files(tmp_path / "a:b")
    assert short.marked(long.mark(UID)) == ""
    assert long.marked(short.mark(UID)) == ""


def test_what_follows_the_identity_must_be_the_uid_of_a_worker(tmp_path: Path) -> None:
    ours = files(tmp_path / "a")
    for uid in ("", "b", f"b:{UID}", f"{UID}:b", UID.upper() + "x", f"{{{UID}}}"):
        assert ours.marked(ours.mark(uid)) == ""
    assert ours.marked("") == ""


def test_an_identity_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    files(tmp_path / "a")
    (tmp_path / "a/identity").write_text("12")
    mark = files(tmp_path / "a").mark(UID)
    assert len(mark) == 32 + 1 + 36
    assert files(tmp_path / "a").marked(mark) == UID
