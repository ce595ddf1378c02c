"""Puts a unit file where systemd finds it, and takes it away again; somebody else's is left alone."""

from __future__ import annotations

import grp
import os
import re
import stat
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tidegate.local.home import home
from tidegate.local.service.units import MARK, NAME

SYSTEM = Path("/etc/systemd/system")
FILE = f"{NAME}.service"
_KFD = Path("/dev/kfd")  # there where AMD's compute driver runs


def unit_folder(environment: Mapping[str, str], *, system: bool) -> Path:
    """Where units lie: the machine's, or those of the user whose environment it is. ValueError: no home."""
    if system:
        return SYSTEM
    given = environment.get("XDG_CONFIG_HOME", "")
    folder = Path(given) if Path(given).is_absolute() else home("XDG_CONFIG_HOME") / ".config"
    return folder / "systemd/user"


def install(folder: Path, text: str) -> Path:
    """The file, written whole or not at all. ValueError where one of another's is there; OSError."""
    file = folder / FILE
    _check_ours(file)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{FILE}.{os.getpid()}"
    try:
        draft.write_text(text, "utf-8")
        draft.chmod(0o644)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file


def remove(folder: Path) -> Path | None:
    """Takes the file away, and the links by which it was enabled; None: there is none.

    ValueError where it is another's; OSError.
    """
    file = folder / FILE
    if not file.exists():
        return None
    _check_ours(file)
    for link in folder.glob(f"*.target.wants/{FILE}"):
        if link.is_symlink() and link.readlink().name == FILE:
            link.unlink()
    file.unlink()
    return file


def _check_ours(file: Path) -> None:
    if file.is_symlink() or (file.exists() and not file.read_text("utf-8", "replace").startswith(MARK)):
        raise ValueError(
            f"{file}: was not written by tidegate install-service, so it stays as it is; move it away first"
        )


def closed_to_others(paths: Iterable[Path]) -> Path | None:
    """The first of ``paths`` that not everybody can read, or folder on the way to one that not everybody can
    enter, if any. A folder is read where its files are listed."""
    for path in paths:
        for place in (path.absolute(), path.resolve()):
            for step in reversed(place.parents):
                if _lacks(step, stat.S_IXOTH):
                    return step
            if _lacks(place, stat.S_IROTH | (stat.S_IXOTH if place.is_dir() else 0)):
                return place
    return None


def _lacks(step: Path, needed: int) -> bool:
    """Whether everybody's rights are less; a missing one is not closed: what needs it says so itself."""
    try:
        return step.stat().st_mode & needed != needed
    except FileNotFoundError:
        return False


def systemd_version() -> int:
    """The version of this machine's systemd; 0 where it does not say."""
    try:
        done = subprocess.run(
            ["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"systemd (\d+)", done.stdout)
    return int(match[1]) if match else 0


def device_groups(containers: str) -> tuple[str, ...]:
    """The groups of this machine that open what a system service needs: docker's socket, AMD's devices.

    NVIDIA's device files are everybody's.
    """
    wanted = [
        *(["docker"] if containers == "docker" else []),
        *(["render", "video"] if _KFD.exists() else []),
    ]
    there = {group.gr_name for group in grp.getgrall()}
    return tuple(name for name in wanted if name in there)
