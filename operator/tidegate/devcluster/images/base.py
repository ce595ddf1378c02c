"""The base system of an image, by mmdebstrap from this machine's own apt sources: no registry is needed."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.commands import Runner
from tidegate.devcluster.disk import need_disk
from tidegate.devcluster.errors import ClusterError
from tidegate.devcluster.images.cache import Made, make_once
from tidegate.devcluster.images.layers import TarLayer
from tidegate.devcluster.layout import Cache
from tidegate.devcluster.progress import Progress

BASE_GIB = 2.0  # the tar has some 200 MB, its making needs twice that and the packages
PYTHON = re.compile(r"(?:\./)?usr/bin/python(3\.\d+)")
LONGEST = 900.0  # seconds; 15 to 30 with a mirror nearby
USERS = "nonroot:x:65532:65532::/nonexistent:/usr/sbin/nologin\\nworker:x:1000:1000::/tmp:/usr/sbin/nologin"
GROUPS = "nonroot:x:65532:\\nworker:x:1000:"
OPTIONS = (
    "--variant=essential",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    f'--customize-hook=printf "{USERS}\\n" >> "$1/etc/passwd"',  # so that a numeric user has a name
    f'--customize-hook=printf "{GROUPS}\\n" >> "$1/etc/group"',
)


@dataclass(frozen=True)
class BaseSystem:
    """A Debian with the essential packages and some more."""

    packages: Sequence[str]

    def layer(self, runner: Runner, cache: Cache, progress: Progress) -> TarLayer:
        """The layer; made once for each set of packages."""
        suite = codename()
        parts = [suite, python_version(), *sorted(self.packages), *OPTIONS]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        command = ["mmdebstrap", *OPTIONS, f"--include={','.join(self.packages)}", "--format=tar", suite]
        packages = hashlib.sha256("\0".join(sorted(self.packages)).encode()).hexdigest()[:8]
        made = Made(f"base-{packages}", key, f"making a base system of {suite} (some 20 seconds)", keep=1)
        return TarLayer(make_once(cache, progress, made, lambda path: _make(runner, command, path)), key)


def codename() -> str:
    """This machine's Debian or Ubuntu release, whose packages the base system takes."""
    try:
        release = platform.freedesktop_os_release()
        return release["VERSION_CODENAME"]
    except (OSError, KeyError) as error:
        raise ClusterError(
            "this is not a Debian or Ubuntu system, so no base image can be made from its packages: "
            "install Docker and use --provider kind"
        ) from error


def python_version() -> str:
    """Major and minor version of the Python that runs this."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def require_same_python(tar: Path, wanted: str) -> None:
    """ClusterError if the base system has another Python: packages for one do not run with another."""
    with tarfile.open(tar) as opened:
        found = [match[1] for entry in opened if (match := PYTHON.fullmatch(entry.name))]
    if found and wanted not in found:
        raise ClusterError(
            f"this runs with Python {wanted}, and the base system of the images has {found[0]}: make the "
            f"environment with python{found[0]} (python{found[0]} -m venv .venv), or use --provider kind"
        )


def _make(runner: Runner, command: list[str], path: Path) -> None:
    need_disk(path.parent, BASE_GIB, "making a base system")
    runner.run([*command, str(path)], timeout=LONGEST)
    require_same_python(path, python_version())
