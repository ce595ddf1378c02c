"""What outlives a supervisor: whole or as it was, and never in the way."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.local.services import KEY
from tidegate.local.supervision.records import Record, Records

RECORD = Record("u", "2026-01-01T00:00:00Z", 3, {"suspend": True}, {"phase": "Idle", "conditions": []})


def test_what_was_saved_is_loaded_and_what_was_removed_is_not(tmp_path: Path) -> None:
    Records(tmp_path).save(KEY, RECORD)
    records = Records(tmp_path)
    assert records.load() == {KEY: RECORD}
    records.remove(KEY)
    assert Records(tmp_path).load() == {}


def test_only_the_user_may_read_it(tmp_path: Path) -> None:
    Records(tmp_path).save(KEY, RECORD)
    (file,) = tmp_path.glob("*/*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"uid": 7}'])
def test_one_that_is_broken_is_left_out_and_told(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    Records(tmp_path).save(KEY, RECORD)
    (file,) = tmp_path.glob("*/*.json")
    file.write_text(content)
    assert Records(tmp_path).load() == {}
    assert str(file) in caplog.text


def test_a_disk_that_takes_nothing_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = Records(tmp_path / "folder")
    (tmp_path / "folder").write_text("in the way")
    for generation in range(3):
        records.save(KEY, replace(RECORD, generation=generation))
    assert len(caplog.records) == 1
    (tmp_path / "folder").unlink()
    records.save(KEY, RECORD)
    assert Records(tmp_path / "folder").load() == {KEY: RECORD}
