"""Files that change, are written in pieces, break, go, and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.local.services import document
from tidegate.local.manifests.manifest_files import ManifestFiles
from tidegate.local.manifests.manifest_set import Machine

NOTHING = {"apiVersion": "v1", "kind": "List", "items": []}


def write(path: Path, *documents: Any) -> None:
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")


def names(files: ManifestFiles) -> list[str]:
    return sorted(key.name for key in files.all.services)


def look(files: ManifestFiles) -> bool:
    """Two looks at the same, far from each other: it is settled then, whatever it ends."""
    first = files.look(0)
    return files.look(60) or first


def test_files_folders_and_stdin_are_read_together(tmp_path: Path) -> None:
    folder = tmp_path / "services"
    folder.mkdir()
    write(folder / "a.yaml", document("a"))
    write(folder / "b.json", document("b"))
    (folder / "README.md").write_text("not: [a manifest")
    write(tmp_path / "c.yaml", document("c"))
    stdin = yaml.safe_dump(document("d"))
    files = ManifestFiles([folder, tmp_path / "c.yaml", "-"], Machine(), stdin=lambda: stdin)
    files.read()
    assert names(files) == ["a", "b", "c", "d"]
    write(folder / "e.yml", document("e"))
    assert look(files)
    assert names(files) == ["a", "b", "c", "d", "e"], "stdin is remembered"


def test_what_cannot_be_read_at_the_start_ends_it_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ManifestFiles([tmp_path / "none.yaml"], Machine()).read()
    write(tmp_path / "a.yaml", {"kind": "Pod"})
    with pytest.raises(ValueError, match=r"a\.yaml: document 1: kind: Pod means nothing"):
        ManifestFiles([tmp_path / "a.yaml"], Machine()).read()


def test_a_file_that_is_being_written_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    write(file, document("a"))
    files = ManifestFiles([file], Machine())
    files.read()
    file.write_text("")
    assert not files.look(0)
    write(file, document("a", suspend=True))
    assert not files.look(1)
    assert names(files) == ["a"]
    assert files.look(2)
    assert files.all.services[next(iter(files.all.services))].document["spec"]["suspend"]


def test_a_broken_file_changes_nothing_and_is_complained_about_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "a.yaml"
    write(file, document("a"))
    files = ManifestFiles([file], Machine())
    files.read()
    file.write_text("kind: [")
    for _ in range(3):
        assert not look(files)
    assert names(files) == ["a"]
    (record,) = caplog.records
    assert str(file) in record.message
    assert "what it said before still holds" in record.message
    write(file, document("b"))
    assert look(files)
    assert names(files) == ["b"]


def test_a_file_that_is_gone_takes_its_services_with_it_once_it_is_gone_for_a_while(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    write(first, document("a"))
    write(second, document("b"))
    files = ManifestFiles([tmp_path], Machine())
    files.read()
    first.unlink()
    assert not files.look(0)
    assert not files.look(4)
    assert names(files) == ["a", "b"], "an editor may be about to put another one in its place"
    assert files.look(5)
    assert names(files) == ["b"]
    write(first, document("a"))
    assert look(files)
    assert names(files) == ["a", "b"]


def test_a_file_that_contradicts_another_one_waits_until_there_is_room_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    write(first, document("a"))
    files = ManifestFiles([tmp_path], Machine())
    files.read()
    write(second, document("a"), document("c"))
    for _ in range(3):
        assert not look(files)
    assert len(caplog.records) == 1
    assert "default/a is in" in caplog.records[0].message
    write(first, document("b"))
    assert look(files)
    assert names(files) == ["a", "b", "c"]


def test_a_service_may_move_from_one_file_to_another(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    write(first, document("a"))
    write(second, document("b"))
    files = ManifestFiles([tmp_path], Machine())
    files.read()
    write(first, NOTHING)
    write(second, document("a"), document("b"))
    assert look(files)
    assert names(files) == ["a", "b"]
