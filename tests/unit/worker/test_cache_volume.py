"""What becomes of a model when two fill it where locks do not hold, and when one needs another's room."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tidegate_cache import fill as filling
from tidegate_cache import locks, room
from tidegate_cache.causes import FillError
from tidegate_cache.download import Download
from tidegate_cache.fill import Order, fill
from tidegate_cache.remote import Body, RemoteFile, Snapshot
from tidegate_cache.room import make_room
from tidegate_cache.volume import Volume
from tidegate_cache.web import Patience

KEY = "hf--acme--chat--one"
FILES = {"config.json": b"{}", "model.safetensors": b"S" * 3000}
PATIENCE = Patience(tries=2, silence=5, pause=0.01)
ORDER = Order("chat", None, PATIENCE)


class Given:
    """A source whose content is here; ``before`` is called before a file's is given."""

    def __init__(self, before: Callable[[str], None] = lambda _: None, key: str = KEY) -> None:
        self.before = before
        self.key = key

    def pinned_key(self) -> str | None:
        return None

    def snapshot(self) -> Snapshot:
        return Snapshot(self.key, tuple(RemoteFile(path, len(what), "tag") for path, what in FILES.items()))

    @contextmanager
    def body(self, file: RemoteFile, start: int) -> Iterator[Body]:
        self.before(file.path)
        yield Body(start, iter([FILES[file.path][start:]]))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    made = Volume(tmp_path, "the claim a")
    made.prepare()
    return made


@pytest.fixture
def lockless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume whose locks everybody gets."""
    monkeypatch.setattr(locks, "_take", lambda _: True)


def begun(volume: Volume, *paths: str, folder: str = "partial") -> Path:
    """A model of which these files are there."""
    volume.write_list(Given().snapshot())
    for path in paths:
        (volume.partial(KEY) / path).write_bytes(FILES[path])
    return volume.partial(KEY).rename(volume.root / folder / KEY)


@pytest.mark.usefixtures("lockless")
@pytest.mark.parametrize("path", FILES)
def test_a_filler_that_another_one_overtakes_finds_its_model_whole(volume: Volume, path: str) -> None:
    first = threading.Lock()

    def overtaken(asked: str) -> None:
        if asked == path and first.acquire(blocking=False):
            fill(volume, Given(), ORDER)

    assert fill(volume, Given(overtaken), ORDER) == volume.model(KEY)
    assert volume.is_whole(KEY)
    assert volume.keys("partial") == []


def test_a_late_second_end_leaves_a_whole_model_as_it_is(volume: Volume) -> None:
    fill(volume, Given(), ORDER)
    begun(volume, "config.json")
    volume.finish(KEY)
    assert volume.is_whole(KEY)
    assert not volume.partial(KEY).exists()


@pytest.mark.parametrize("paths", [(), ("config.json",)])
def test_what_lacks_a_file_never_gets_a_models_name(volume: Volume, paths: tuple[str, ...]) -> None:
    with pytest.raises(FileNotFoundError):
        volume.finish(KEY)
    begun(volume, *paths)
    with pytest.raises(FileNotFoundError):
        volume.finish(KEY)
    assert not volume.model(KEY).exists()


def test_a_model_that_lost_a_file_makes_place_for_a_whole_one(volume: Volume) -> None:
    begun(volume, "config.json", folder="models")
    begun(volume, *FILES)
    volume.finish(KEY)
    assert volume.is_whole(KEY)


def test_a_whole_model_is_not_taken_for_a_broken_one(volume: Volume) -> None:
    begun(volume, *FILES, folder="models")
    volume.discard_broken(KEY)
    assert volume.is_whole(KEY)


@pytest.mark.parametrize("there", [True, False])
def test_a_file_that_another_writer_has_named_is_good_and_one_that_vanished_is_not(
    volume: Volume, there: bool
) -> None:
    folder = volume.partial(KEY)

    def other(_: str) -> None:
        (part,) = folder.glob("model.safetensors.part-*")
        if there:
            part.with_name("model.safetensors").write_bytes(FILES["model.safetensors"])
        part.unlink()

    download = Download(Given(other), PATIENCE, "the claim a", lambda _: None)
    file = RemoteFile("model.safetensors", 3000, "tag")
    if there:
        download.fetch(file, folder)
    else:
        with pytest.raises(FillError):
            download.fetch(file, folder)
    assert (folder / file.path).exists() == there


def test_what_a_filler_has_may_change_while_another_tells_how_far_it_is(
    volume: Volume, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(volume, "config.json", "model.safetensors")
    real = os.lstat

    def vanishing(path: Path) -> os.stat_result:
        path.unlink()
        return real(path)

    monkeypatch.setattr(os, "lstat", vanishing)
    filling._telling(volume, KEY)()
    assert '"bytes": 0' in capfd.readouterr().out
    assert list(folder.iterdir()) == []


def test_a_model_is_noted_as_used_before_it_is_looked_at(volume: Volume) -> None:
    """Who removes one holds its lock and looks at the note: after it the model stays."""
    fill(volume, Given(), ORDER)
    os.utime(volume.root / "leases" / KEY, (1, 1))

    class Watched(Volume):
        def is_whole(self, key: str) -> bool:
            assert (self.root / "leases" / key).stat().st_mtime > 1
            return super().is_whole(key)

    class Pinned(Given):
        def pinned_key(self) -> str | None:
            return KEY

    for source in (Given(), Pinned()):
        os.utime(volume.root / "leases" / KEY, (1, 1))
        fill(Watched(volume.root, volume.place), source, ORDER)


def old(volume: Volume, key: str) -> None:
    fill(volume, Given(key=key), ORDER)
    os.utime(volume.root / "leases" / key, (1, 1))


def wanting(volume: Volume, key: str) -> None:
    volume.write_list(Given(key=key).snapshot())


def test_a_model_that_is_taken_while_it_is_about_to_go_stays(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    old(volume, "one")
    wanting(volume, "two")
    real = room._remove_one

    @contextmanager
    def taken(_: Path) -> Iterator[bool]:
        volume.use("one")
        yield True

    def remove(*given: object) -> str | None:
        with monkeypatch.context() as patch:
            patch.setattr(room, "held_if_free", taken)
            return real(volume, "two")

    monkeypatch.setattr(room, "_remove_one", remove)
    with pytest.raises(FillError, match="one was used"):
        make_room(volume, "two", 4000)
    assert volume.is_whole("one")


def test_for_a_model_that_can_never_fit_no_other_goes(volume: Volume) -> None:
    old(volume, "one")
    wanting(volume, "two")
    with pytest.raises(FillError, match="still needs 3002 bytes"):
        make_room(volume, "two", 2000)
    assert volume.is_whole("one")
    make_room(volume, "two", 4000)
    assert volume.keys("models") == []


def test_what_stays_free_of_the_file_system_is_no_room(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanting(volume, "two")
    blocks, free = 100_000, 12_000  # of one byte: with a tenth kept 2000 are left, and 3002 are needed
    told = os.statvfs(volume.root)
    monkeypatch.setattr(
        os, "statvfs", lambda _: os.statvfs_result((1, 1, blocks, free, free, *tuple(told)[5:]))
    )
    make_room(volume, "two", None)
    with pytest.raises(FillError, match="of whose file system 10 % stay free") as raised:
        make_room(volume, "two", None, 10)
    assert raised.value.reason == "CacheFull"


def test_a_lock_that_cannot_be_made_is_named_with_the_volume(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied", "locks")

    monkeypatch.setattr(locks, "_open", refused)
    with pytest.raises(FillError, match="cannot write to the claim a"):
        fill(volume, Given(), ORDER)
