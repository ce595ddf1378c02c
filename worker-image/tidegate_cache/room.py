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


def make_room(volume: Volume, key: str, limit: int | None) -> None:
    """Room for what ``key`` still misses, within ``limit`` bytes of models and the free space of the volume.

    Without a limit nothing goes. FillError where there is not enough.
    """
    with held(volume.lock("room"), lambda: None):
        volume.sweep()
        while missing := _missing(volume, key, limit):
            victim = _remove_one(volume, key) if limit is not None else None
            if victim is None:
                raise FillError(FULL, _sentence(volume, key, limit, missing))
            say("evicted", model=victim)


def _missing(volume: Volume, key: str, limit: int | None) -> int:
    """Bytes that would have to go for it to fit; 0: it fits."""
    wanted = _outstanding(volume, key)
    others = sum(_outstanding(volume, each) for each in _filled_now(volume, key))
    statistics = os.statvfs(volume.root)
    short = wanted + others - statistics.f_bavail * statistics.f_frsize
    over = 0 if limit is None else _used(volume) + wanted + others - limit
    return max(0, over, short)


def _used(volume: Volume) -> int:
    """Bytes of all models and beginnings; a file that two versions share counts once."""
    files = {
        (device, inode): size
        for name in ("models", "partial")
        for device, inode, size in _files(volume, name)
    }
    return sum(files.values())


def _files(volume: Volume, name: str) -> list[tuple[int, int, int]]:
    return list(inodes(volume.root / name))


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
            if free:
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


def _sentence(volume: Volume, key: str, limit: int | None, missing: int) -> str:
    need = f"{key} still needs {_gib(_outstanding(volume, key))}, {_gib(missing)} too many for {volume.place}"
    if limit is None:
        return f"{need}; set spec.cache.sizeLimit, so that models which nobody uses go, or enlarge it"
    kept = ", ".join(each for each in volume.keys("models") if each != key) or "no other model"
    return f"{need} with a sizeLimit of {_gib(limit)}; {kept} is there and was used in the last 15 minutes"


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.2f} GiB" if size >= 1 << 20 else f"{size} bytes"
