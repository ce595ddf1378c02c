"""Where this process's cgroups are: version 1, version 2, both at once, with a namespace or without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory")
UNIFIED = ""  # the name under which /proc/self/cgroup has the hierarchy of version 2


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted hierarchy: its folder, and which of its cgroups that folder shows."""

    folder: Path
    root: str


def cgroup_folders(root: Path = Path("/")) -> dict[str, list[Path]]:
    """For each controller the folders of this process's cgroup and of its ancestors, own one first.

    ``root`` is another place for /proc and /sys, for tests. A controller that /proc/self/cgroup names is one
    of version 1; all others are where version 2 is. What is not mounted has a folder that does not exist.
    """
    paths = _paths(_text(root / "proc/self/cgroup"))
    mounts = dict(_mounts(_text(root / "proc/self/mountinfo"), root))
    top = root / CGROUP.relative_to("/")
    found = {}
    for name in CONTROLLERS:
        hierarchy = name if name in paths else UNIFIED
        mount = mounts.get(hierarchy) or Mount(top / hierarchy, "/")
        found[name] = list(_upward(mount, paths.get(hierarchy, "/")))
    return found


def _paths(membership: str) -> dict[str, str]:
    """The cgroup's path in each hierarchy; those of version 1 by each of their controllers."""
    paths: dict[str, str] = {}
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _mounts(mountinfo: str, root: Path) -> Iterator[tuple[str, Mount]]:
    """Each mounted hierarchy by its controllers (proc(5), /proc/pid/mountinfo): the fourth field is what is
    mounted, the fifth where, and after the hyphen come the kind, the source and the hierarchy's options."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(kind) < 3 or not kind[0].startswith("cgroup"):
            continue
        mount = Mount(root / _unescaped(fields[4]).lstrip("/"), _unescaped(fields[3]))
        names = [UNIFIED] if kind[0] == "cgroup2" else kind[2].split(",")
        yield from ((name, mount) for name in names)


def _unescaped(field: str) -> str:
    """The kernel writes blanks as ``\\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _upward(mount: Mount, path: str) -> Iterator[Path]:
    """From the own cgroup to the mount's top.

    Inside a container the mount shows the container's own cgroup at its top, while the path may be the host's
    (no namespace) or lead out of it (``/../other``): then the top is what there is to be seen.
    """
    below = path.removeprefix(mount.root.rstrip("/")) if path.startswith(mount.root) else path
    own = mount.folder / below.lstrip("/")
    if ".." in Path(below).parts or not own.is_dir():
        own = mount.folder
    yield own
    while own != mount.folder:
        own = own.parent
        yield own


def first_text(folders: list[Path], *names: str) -> str:
    """The first file of these names that is there and not empty, in the first folder that has one."""
    texts = (_text(folder / name) for folder in folders for name in names)
    return next((text for text in texts if text), "")


def counts_of(folders: list[Path], name: str) -> dict[str, int]:
    """A file of names and numbers in the first of these folders, such as cpu.stat."""
    lines = (line.split() for line in first_text(folders[:1], name).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}


def _text(file: Path) -> str:
    """The content, empty where it cannot be read."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
