"""The control groups that this process is in, of version 1 and 2, in a container or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_UNIFIED = ""  # the name under which /proc/self/cgroup has the hierarchy of version 2
_LIMITS = ("memory.max", "memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class OwnCgroup:
    """Its folders: those of version 1 by controller, and that of version 2."""

    first: Mapping[str, Path]
    second: Path | None


def own_cgroup(root: Path = Path("/")) -> OwnCgroup:
    """What /proc tells; ``root``: where /proc and /sys are. What is not mounted does not count."""
    paths = _memberships(read(root / "proc/self/cgroup"))
    mounts = dict(_mounts(read(root / "proc/self/mountinfo"), root))
    folders = {each: _below(mounts[each], paths[each]) for each in paths if each in mounts}
    return OwnCgroup({name: folder for name, folder in folders.items() if name}, folders.get(_UNIFIED))


def memory_limit(own: OwnCgroup) -> int | None:
    """Bytes that this process and its workers may have together; None where only the machine limits them."""
    folder = own.first.get("memory", own.second)
    if folder is None:
        return None
    texts = (read(each / name) for each in (folder, *folder.parents) for name in _LIMITS)
    return min((int(text) for text in texts if text.isdecimal()), default=None)


def _memberships(text: str) -> dict[str, str]:
    """The own group's path by controller (proc_pid_cgroup(5))."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _mounts(text: str, root: Path) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Each mounted hierarchy by its controllers: where it is, and which group its top shows
    (proc_pid_mountinfo(5): the fourth and fifth field; kind, source and options follow the hyphen)."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3 or not kind[0].startswith("cgroup"):
            continue
        names = [_UNIFIED] if kind[0] == "cgroup2" else kind[2].split(",")
        yield from ((each, (root / fields[4].lstrip("/"), fields[3])) for each in names)


def _below(mount: tuple[Path, str], path: str) -> Path:
    """The own group; the mount's top where the path leads out of what is mounted, as in a container."""
    folder, top = mount
    inner = path.removeprefix(top.rstrip("/")) if path.startswith(top) else path
    own = folder / inner.lstrip("/")
    return own if own.is_dir() and ".." not in Path(inner).parts else folder


def read(file: Path) -> str:
    """The content; empty where it cannot be read."""
    with suppress(OSError):
        return file.read_text().strip()
    return ""
