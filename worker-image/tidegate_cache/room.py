"""Room for a model: those that nobody uses go, the least recently used first, until it fits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tidegate_worker.report import say

from .causes import FULL, FillError
from .locks import held, held_if_free
from .volume import Volume, inodes, read_list, size_of

# A worker notes every minute that it uses its model. One whose engine has ended is started again by its
# kubelet after 300 s at most, and until then nobody notes anything.
UNUSED_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class _Entry:
    """A model, or what is left of one that was not finished; ``used``: Unix time by the volume's clock."""

    key: str
    folder: Path
    used: float


def make_room(volume: Volume, key: str, limit: int | None, spare: int = 0) -> None:
    """Room for what ``key`` still misses, within ``limit`` bytes of models and the free space of the volume,
    of which ``spare`` percent of all its space stay free.

    Without a limit nothing goes, nor where all that may go would not be enough: then FillError.
    """
    with held(volume.lock("room"), lambda: None):
        volume.sweep()
        while missing := _missing(volume, key, limit, spare):
            room = _removable(volume, key) if limit is not None else 0
            victim = _remove_one(volume, key) if room >= missing else None
            if victim is None:
                raise FillError(FULL, _sentence(volume, key, (limit, spare), max(1, missing - room)))
            say("evicted", model=victim)


def _missing(volume: Volume, key: str, limit: int | None, spare: int) -> int:
    """Bytes that would have to go for it to fit; 0: it fits."""
    wanted = _outstanding(volume, key)
    others = sum(_outstanding(volume, each) for each in _filled_now(volume, key))
    statistics = os.statvfs(volume.root)
    free = statistics.f_bavail - statistics.f_blocks * spare // 100
    short = wanted + others - free * statistics.f_frsize if wanted else 0
    over = 0 if limit is None else _used(volume) + wanted + others - limit
    return max(0, over, short)


def _used(volume: Volume) -> int:
    """Bytes of all models and beginnings."""
    return _bytes_of(volume.root / "models", volume.root / "partial")


def _bytes_of(*folders: Path) -> int:
    """A file that two versions share counts once."""
    found = {(device, inode): size for each in folders for device, inode, size in inodes(each)}
    return sum(found.values())


def _removable(volume: Volume, key: str) -> int:
    """Bytes that would be free if all went that may."""
    now, entries = _clock(volume), _entries(volume, key)
    stay = [each for each in entries if now - each.used < UNUSED_SECONDS or not _is_free(volume, each.key)]
    own = (volume.model(key), volume.partial(key))
    return _bytes_of(*own, *(each.folder for each in entries)) - _bytes_of(*own, *(e.folder for e in stay))


def _outstanding(volume: Volume, key: str) -> int:
    """Bytes that a model which is being filled has not got yet."""
    folder = volume.partial(key)
    sizes = read_list(folder) or {}
    have = sum(size for _, _, size in inodes(folder)) - max(0, size_of(folder / ".tidegate.json"))
    return max(0, sum(sizes.values()) - have)


def _filled_now(volume: Volume, key: str) -> list[str]:
    """The other models that somebody fills at this moment."""
    return [each for each in volume.keys("partial") if each != key and not _is_free(volume, each)]


def _is_free(volume: Volume, key: str) -> bool:
    with held_if_free(volume.lock(key)) as free:
        return free


def _remove_one(volume: Volume, key: str) -> str | None:
    """The key of what was removed; None: all that is left is in use."""
    now = _clock(volume)
    for entry in sorted(_entries(volume, key), key=lambda each: each.used):
        if now - entry.used < UNUSED_SECONDS:
            continue
        with held_if_free(volume.lock(entry.key)) as free:
            if free and now - _last_use(volume, entry.key) >= UNUSED_SECONDS:  # nobody took it meanwhile
                volume.discard(entry.folder)
                return entry.key
    return None


def _entries(volume: Volume, key: str) -> list[_Entry]:
    whole = [_Entry(each, volume.model(each), _last_use(volume, each)) for each in volume.keys("models")]
    begun = [_Entry(each, volume.partial(each), _last_use(volume, each)) for each in volume.keys("partial")]
    return [entry for entry in (*whole, *begun) if entry.key != key]


def _last_use(volume: Volume, key: str) -> float:
    try:
        return (volume.root / "leases" / key).stat().st_mtime
    except OSError:
        return 0.0


def _clock(volume: Volume) -> float:
    """Now, by the clock that stamps the leases: a file server has one of its own."""
    file = volume.lock("room")
    os.utime(file)
    return file.stat().st_mtime


def _sentence(volume: Volume, key: str, bounds: tuple[int | None, int], missing: int) -> str:
    limit, spare = bounds
    place = volume.place + (f", of whose file system {spare} % stay free," if spare else "")
    need = f"{key} still needs {_gib(_outstanding(volume, key))}, {_gib(missing)} too many for {place}"
    if limit is None:
        return f"{need}; set spec.cache.sizeLimit, so that models which nobody uses go, or enlarge it"
    now, others = _clock(volume), _entries(volume, key)
    kept = ", ".join(sorted({each.key for each in others if now - each.used < UNUSED_SECONDS}))
    used = f"{kept} was used in the last 15 minutes" if kept else "no other model is in use"
    return f"{need} with a sizeLimit of {_gib(limit)}, even if all goes that nobody uses; {used}"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.2f} GiB" if size >= 1 << 20 else f"{size} bytes"
