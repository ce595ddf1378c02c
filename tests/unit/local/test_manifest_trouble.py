"""Files that are no manifests at all, and files that are on their way from one state to another."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local.services import document
from tests.unit.local.test_manifest_files import NOTHING, look, names, write
from tidegate.local.manifests import manifest_paths
from tidegate.local.manifests.manifest import read_contents
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine, together

BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]" for n in range(1, 12))])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    write(folder / "a.yaml", document("a"))
    return folder / "a.yaml"


@pytest.fixture
def files(file: Path) -> ManifestFiles:
    """Over the folder, and read."""
    found = ManifestFiles([file.parent], Machine())
    found.read()
    return found


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "x: !!map [a]",
        "x: !!timestamp foo",
        "x: !!int",
        "{" * 3000,
        BOMB,
        "&a [*a]",
        "kind: &a {b: *a}",
    ],
    ids=["deep", "map", "timestamp", "int", "deep maps", "bomb", "endless", "endless map"],
)
def test_no_text_costs_more_than_a_complaint(
    file: Path, files: ManifestFiles, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(text)
    write(file.with_name("b.yaml"), document("b"))
    assert look(files)
    assert not look(files)
    assert names(files) == ["a", "b"]
    (record,) = caplog.records
    assert str(file) in record.message
    with pytest.raises(ValueError, match=r"a\.yaml"):
        ManifestFiles([file], Machine()).read()


def test_a_file_that_is_too_large_is_told_and_not_parsed(
    file: Path, files: ManifestFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text("#" * (manifest_paths.MAX_BYTES + 1))
    assert not look(files)
    assert "larger than 4 MB" in caplog.text
    assert names(files) == ["a"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO])
def test_a_folder_that_cannot_be_read_is_complained_about_once_and_holds(
    file: Path,
    files: ManifestFiles,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuses(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number), str(file.parent))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "iterdir", refuses)
        assert not look(files)
        assert not look(files)
    assert names(files) == ["a"]
    (record,) = caplog.records
    assert os.strerror(number) in record.message
    write(file.with_name("b.yaml"), document("b"))
    assert look(files)
    assert names(files) == ["a", "b"]


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = ManifestFiles([file], Machine())
    files.read()
    file.unlink()
    os.mkfifo(file)
    assert not look(files)
    assert names(files) == ["a"]
    assert "no regular file" in caplog.text


def test_what_is_no_regular_file_is_read_once(tmp_path: Path) -> None:
    written = tmp_path / "a.yaml"
    write(written, document("a"))
    reader, writer = os.pipe()
    os.write(writer, written.read_bytes())
    os.close(writer)
    files = ManifestFiles([f"/dev/fd/{reader}"], Machine())
    files.read()
    os.close(reader)
    assert not look(files), "that it is gone means nothing"
    assert names(files) == ["a"]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n---\n"])
def test_a_file_that_is_emptied_keeps_its_services_however_long_it_is_empty(
    file: Path, files: ManifestFiles, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(text)
    assert not look(files)
    assert not look(files)
    assert names(files) == ["a"]
    (record,) = caplog.records
    assert "it is empty; remove the file, or write an empty List" in record.message
    write(file, document("a", suspend=True))
    assert look(files)
    write(file, NOTHING)
    assert look(files)
    assert names(files) == []


def test_an_empty_file_that_held_nothing_is_no_mistake(
    file: Path, files: ManifestFiles, caplog: pytest.LogCaptureFixture
) -> None:
    file.with_name("b.yaml").write_text("")
    look(files)
    write(file.with_name("b.yaml"), document("b"))
    assert look(files)
    assert names(files) == ["a", "b"]
    assert not caplog.records


def test_a_file_that_is_written_in_pieces_ends_no_service_between_two_of_them(
    file: Path, files: ManifestFiles
) -> None:
    write(file, document("a"), document("b"))
    look(files)
    write(file, document("a"))
    assert not files.look(100)
    assert not files.look(104)
    write(file, document("a"), document("b", suspend=True))
    assert not files.look(106), "the time begins anew"
    assert files.look(107)
    assert names(files) == ["a", "b"]
    write(file, document("a"))
    assert not files.look(200)
    assert files.look(205)
    assert names(files) == ["a"]


def test_what_ends_nothing_does_not_wait_for_what_ends_something(file: Path, files: ManifestFiles) -> None:
    file.unlink()
    write(file.with_name("b.yaml"), document("b"))
    assert not files.look(0)
    assert files.look(1)
    assert names(files) == ["a", "b"]
    assert files.look(5)
    assert names(files) == ["b"]


def test_a_service_moves_at_once_since_nothing_ends(file: Path, files: ManifestFiles) -> None:
    file.rename(file.with_name("b.yaml"))
    assert not files.look(0)
    assert files.look(1)
    assert names(files) == ["a"]
    assert not files.look(9)
    assert names(files) == ["a"]


def test_a_conflict_is_parsed_once_and_judged_again_when_a_file_has_changed(
    file: Path, files: ManifestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    judged: list[Machine] = []

    def counted(text: str, *rest: Any) -> Any:
        parsed.append(text)
        return read_contents(text, *rest)

    def counted_too(machine: Machine, *rest: Any) -> Any:
        judged.append(machine)
        return together(machine, *rest)

    monkeypatch.setattr(f"{ManifestFiles.__module__}.read_contents", counted)
    monkeypatch.setattr(f"{ManifestFiles.__module__}.together", counted_too)
    write(file.with_name("b.yaml"), document("a"))
    for now in (0, 1, 10, 20, 30, 40):
        assert not files.look(now)
    assert len(parsed) == 1
    assert len(judged) <= 2, "once it may be accepted, and once more when it may end something"
    file.unlink()
    files.look(50)
    assert files.look(51)
    assert names(files) == ["a"]
    assert len(parsed) == 1
