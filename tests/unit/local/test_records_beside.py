"""Records of services whose writes are done beside whoever saves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.unit.local.services import KEY
from tidegate.domain.service import ServiceKey
from tidegate.local.supervision.records import Record, Records

RECORD = Record("u", "2026-01-01T00:00:00Z", 3, {"suspend": True}, {"phase": "Idle", "conditions": []})


class Waiting:
    """Writes that nobody has done yet."""

    def __init__(self) -> None:
        self.writes: list[Callable[[], None]] = []

    def put(self, _: ServiceKey, write: Callable[[], None]) -> None:
        self.writes.append(write)

    def do(self) -> None:
        for write in self.writes:
            write()
        self.writes.clear()


def test_saving_and_removing_touch_no_disk_by_themselves(tmp_path: Path) -> None:
    waiting = Waiting()
    records = Records(tmp_path, waiting.put)
    records.save(KEY, RECORD)
    assert list(tmp_path.iterdir()) == []
    waiting.do()
    assert Records(tmp_path).load() == {KEY: RECORD}
    records.remove(KEY)
    assert Records(tmp_path).load() == {KEY: RECORD}
    waiting.do()
    assert Records(tmp_path).load() == {}


def test_what_has_not_changed_is_put_once_and_what_failed_again(tmp_path: Path) -> None:
    waiting, folder = Waiting(), tmp_path / "folder"
    records = Records(folder, waiting.put)
    for _ in range(2):
        records.save(KEY, RECORD)
    assert len(waiting.writes) == 1
    folder.write_text("in the way")
    waiting.do()
    folder.unlink()
    records.save(KEY, RECORD)
    waiting.do()
    assert Records(folder).load() == {KEY: RECORD}
    records.save(KEY, replace(RECORD, generation=4))
    assert len(waiting.writes) == 1
