"""Where the unit lies, and what is left alone there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.local.service.installing import SYSTEM, closed_to_others, install, remove, unit_folder
from tidegate.local.service.units import MARK, Unit, render

TEXT = render(Unit(("/usr/bin/python3", "-m", "tidegate.cli", "up", "-f", "/srv/a.yaml"), stop_seconds=1))


def test_a_users_unit_lies_in_the_users_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert unit_folder({}, system=False) == tmp_path / ".config/systemd/user"
    assert unit_folder({"XDG_CONFIG_HOME": "/conf"}, system=False) == Path("/conf/systemd/user")
    assert unit_folder({"XDG_CONFIG_HOME": "relative"}, system=False) == tmp_path / ".config/systemd/user"
    assert unit_folder({"XDG_CONFIG_HOME": "/conf"}, system=True) == SYSTEM


def test_it_is_written_whole_and_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "systemd/user"
    file = install(folder, TEXT)
    assert file.read_text() == TEXT
    assert install(folder, TEXT + "# more\n") == file
    assert file.read_text().endswith("# more\n")
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("act", [lambda folder: install(folder, TEXT), remove])
def test_a_file_of_somebody_elses_stays_as_it_is(tmp_path: Path, act: object) -> None:
    theirs = tmp_path / "tidegate.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    assert callable(act)
    with pytest.raises(ValueError, match=r"was not written by tidegate install-service, so it stays"):
        act(tmp_path)
    assert theirs.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_link_to_elsewhere_is_never_written_through(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(MARK)
    (tmp_path / "tidegate.service").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="stays as it is"):
        install(tmp_path, TEXT)
    assert elsewhere.read_text() == MARK


def test_removed_it_is_gone_with_the_link_that_enabled_it(tmp_path: Path) -> None:
    file = install(tmp_path, TEXT)
    wants = tmp_path / "default.target.wants"
    wants.mkdir()
    (wants / file.name).symlink_to(file)
    (wants / "other.service").symlink_to(tmp_path / "other.service")
    assert remove(tmp_path) == file
    assert not file.exists()
    assert [each.name for each in wants.iterdir()] == ["other.service"]
    assert remove(tmp_path) is None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if closed_to_others([folder]) is not None:
            pytest.skip("temporary files of this machine are closed to others")
        yield folder


def made(path: Path, mode: int) -> Path:
    """An empty file, in a folder of that mode."""
    path.parent.mkdir(mode=0o755)
    path.write_text("")
    path.chmod(0o644)
    path.parent.chmod(mode)
    return path


def test_the_first_thing_that_others_cannot_enter_is_named(open_folder: Path) -> None:
    manifest = made(open_folder / "home/a.yaml", 0o755)
    assert closed_to_others([manifest]) is None
    manifest.parent.chmod(0o700)
    assert closed_to_others([open_folder, manifest]) == manifest.parent


def test_a_file_that_others_cannot_read_is_named(open_folder: Path) -> None:
    manifest = made(open_folder / "home/a.yaml", 0o755)
    manifest.chmod(0o640)
    assert closed_to_others([manifest]) == manifest


def test_the_way_to_what_a_link_leads_to_must_be_open_too(open_folder: Path) -> None:
    link = open_folder / "python"
    target = made(open_folder / "home/python3", 0o700)
    link.symlink_to(target)
    assert closed_to_others([link]) == target.parent


def test_what_is_not_there_is_not_closed(open_folder: Path) -> None:
    assert closed_to_others([open_folder / "missing/a.yaml"]) is None


def test_a_folder_of_manifests_must_be_listed_and_one_on_the_way_only_entered(open_folder: Path) -> None:
    manifest = made(open_folder / "home/a.yaml", 0o711)
    assert closed_to_others([manifest]) is None
    assert closed_to_others([manifest.parent]) == manifest.parent
