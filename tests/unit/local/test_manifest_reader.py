"""Manifests on a file server that does not answer, and ones that somebody is still writing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from tests.unit.local.services import KEY, document
from tests.unit.virtual_time import run
from tidegate.local.manifests import manifest_files
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_reader import ManifestReader
from tidegate.local.manifests.manifest_set import Machine

T = TypeVar("T")


class Server:
    """Of one manifest; it answers after so many seconds."""

    def __init__(self, folder: Path, seconds: float, *, pipe: bool = False) -> None:
        self.file = folder / "a.yaml"
        self.file.write_text(yaml.safe_dump(document()), encoding="utf-8")
        self.files = ManifestFiles([self.file], Machine())
        self.seconds, self.pipe, self.asked = seconds, pipe, 0
        self.understood = False  # it has answered, and what it says is being parsed
        self.reader = ManifestReader(self.files, self.aside)

    async def aside(self, work: Callable[[], T], /) -> T:
        self.asked += 1
        self.files.reading = "" if self.understood else str(self.file)
        self.files.written_by_others = self.pipe
        await asyncio.sleep(self.seconds)
        return work()


def test_a_start_that_waits_for_a_file_says_which_and_goes_on_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path, 42)
    run(server.reader.first())
    assert KEY in server.files.all.services
    (record,) = caplog.records
    assert record.getMessage() == f"waiting for the manifests: {server.file} has not been read yet"


def test_a_file_that_does_not_answer_ends_the_start_with_its_name(tmp_path: Path) -> None:
    server = Server(tmp_path, 10_000)
    with pytest.raises(ValueError, match=r"a\.yaml: the file system has not answered for 60 s"):
        run(server.reader.first())


def test_what_was_read_may_take_any_time_to_be_understood(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path, 10_000)
    server.understood = True
    run(server.reader.first())
    run(_looks(server))
    assert KEY in server.files.all.services
    assert not caplog.records


def test_the_disk_is_not_asked_while_a_text_is_understood(tmp_path: Path) -> None:
    asked = []

    def seen(document: Mapping[str, Any]) -> Mapping[str, Any]:
        asked.append(files.reading)
        return document

    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document()), encoding="utf-8")
    files = ManifestFiles([tmp_path, "-"], Machine(), seen, stdin=lambda: yaml.safe_dump(document("b")))
    files.read()
    assert asked == ["", ""]
    assert files.reading == ""
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(document("c")), encoding="utf-8")
    files.look(0.0)
    files.look(10.0)
    assert asked == ["", "", ""]
    assert files.reading == ""


def test_the_file_after_a_pipe_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, asked = str(tmp_path / "a.yaml"), []

    def stamp_of(path: str) -> None:
        asked.append((path, files.written_by_others))

    Path(file).write_text(yaml.safe_dump(document()), encoding="utf-8")
    monkeypatch.setattr(manifest_files, "expanded", lambda _: iter([os.devnull, file]))
    monkeypatch.setattr(manifest_files, "stamp_of", stamp_of)
    files = ManifestFiles([tmp_path], Machine())
    files.read()
    assert asked == [(os.devnull, False), (file, False)]


def test_who_writes_to_a_pipe_may_take_any_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(tmp_path, 10_000, pipe=True)
    run(server.reader.first())
    assert KEY in server.files.all.services
    assert len(caplog.records) == 1


def test_a_later_look_that_hangs_is_told_once_and_is_not_begun_twice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path, 10_000)
    server.files.read()
    run(_looks(server))
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{server.file}: the file system has not answered for 30 s")
    assert server.asked == 1


async def _looks(server: Server) -> None:
    assert not await server.reader.look(0.0)
