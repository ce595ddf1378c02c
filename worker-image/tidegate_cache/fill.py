"""Fill the cache with one model: once, however many ask for it at the same time."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from tidegate_worker.report import say

from .causes import UNREACHABLE, FillError, named
from .download import Download
from .locks import held
from .progress import Progress, StoppedError
from .remote import RemoteFile, Snapshot, Source
from .room import make_room
from .volume import Volume, read_tags, size_of
from .web import Patience

AT_ONCE = 4  # files: one that is slow does not keep the others waiting
TELL_EVERY = 5.0  # seconds, of a wait for another filler


@dataclass(frozen=True)
class Order:
    """What is to be there: ``name`` is the model's, whatever version of it; ``limit`` in bytes."""

    name: str
    limit: int | None
    patience: Patience


def fill(volume: Volume, source: Source, order: Order) -> Path:
    """The folder of the whole model. FillError says why there is none."""
    with named(volume.place):
        volume.prepare()
    found = _pinned(volume, source) or _current(volume, source, order)
    if isinstance(found, Snapshot):
        _make_whole(volume, source, order, found)
    key = found.key if isinstance(found, Snapshot) else found
    with named(volume.place):
        volume.use(key)
        volume.remember(order.name, key)
    return volume.model(key)


def _pinned(volume: Volume, source: Source) -> str | None:
    """The key of a whole model that cannot have changed."""
    key = source.pinned_key()
    return key if key is not None and volume.is_whole(key) else None


def _current(volume: Volume, source: Source, order: Order) -> Snapshot | str:
    """What the source has now; where it cannot be asked, what it had when it last could."""
    try:
        return source.snapshot()
    except FillError as error:
        key = volume.remembered(order.name)
        if error.reason != UNREACHABLE or key is None:
            raise
        say("unasked", model=key, why=str(error))
        return key


def _make_whole(volume: Volume, source: Source, order: Order, snapshot: Snapshot) -> None:
    key = snapshot.key
    with held_for(volume, key):
        if volume.is_whole(key):
            say("found", model=key, bytes=snapshot.size)
            return
        with named(volume.place):
            volume.use(key)
            _begin(volume, snapshot)
            make_room(volume, key, order.limit)
        _fetch(volume, source, order, snapshot)
        with named(volume.place):
            volume.finish(key)
            volume.use(key)


def held_for(volume: Volume, key: str) -> AbstractContextManager[None]:
    """The model's lock; who waits says how far the holder is."""
    return held(volume.lock(key), _telling(volume, key))


def _telling(volume: Volume, key: str) -> Callable[[], None]:
    told = -TELL_EVERY

    def tell() -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            have = sum(file.stat().st_size for file in _files(volume.partial(key)))
            say("waiting", model=key, why="another pod fills it", bytes=have)

    return tell


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [file for file in folder.rglob("*") if file.is_file()]
    return []


def _begin(volume: Volume, snapshot: Snapshot) -> None:
    """Write the list, take what is there already: of a model that lost a file, of other versions."""
    folder = volume.partial(snapshot.key)
    broken = volume.model(snapshot.key)
    if broken.exists():
        if folder.exists():
            volume.discard(broken)
        else:
            broken.rename(folder)
    volume.write_list(snapshot)
    shared = _shared(volume, snapshot.key)
    for file in snapshot.files:
        target, known = folder / file.path, shared.get((file.path, file.size, file.tag))
        if size_of(target) not in (-1, file.size):
            target.unlink()  # a file gets its name when it is whole: somebody has changed it
        if known is not None and file.tag and size_of(target) == -1:
            _share(known, target)


def _shared(volume: Volume, key: str) -> dict[tuple[str, int, str], Path]:
    """The files of other versions of the same model, by what they are."""
    family = key.rpartition("--")[0] + "--"
    found: dict[tuple[str, int, str], Path] = {}
    for other in volume.keys("models"):
        if other != key and other.startswith(family):
            folder = volume.model(other)
            found |= {(path, *known): folder / path for path, known in read_tags(folder).items()}
    return {known: file for known, file in found.items() if size_of(file) == known[1]}


def _share(known: Path, target: Path) -> None:
    """The same file under a second name, a copy where the volume has no such thing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(known, target)
    except OSError:
        draft = target.with_name(f"{target.name}.copy")
        shutil.copyfile(known, draft)
        draft.rename(target)


def _fetch(volume: Volume, source: Source, order: Order, snapshot: Snapshot) -> None:
    folder = volume.partial(snapshot.key)
    missing = [file for file in snapshot.files if size_of(folder / file.path) != file.size]
    have = snapshot.size - sum(file.size for file in missing)
    progress = Progress(snapshot.key, snapshot.size, have)
    say("fetching", model=snapshot.key, files=len(missing), bytes=have, of=snapshot.size)
    download = Download(source, order.patience, volume.place, progress.count)
    _all(missing, lambda file: download.fetch(file, folder), progress)
    progress.end()


def _all(files: list[RemoteFile], fetch: Callable[[RemoteFile], None], progress: Progress) -> None:
    """Large ones first; the first failure ends the others, and is raised."""
    ordered = sorted(files, key=lambda file: -file.size)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(fetch, file) for file in ordered]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            progress.stop()
            for each in running:
                each.cancel()
    failures = [error for each in running if not each.cancelled() and (error := each.exception())]
    for error in failures:
        if not isinstance(error, StoppedError):
            raise error
