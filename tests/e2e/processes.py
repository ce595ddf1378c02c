"""The processes of a pod's container, as this machine sees them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.e2e.kubectl import Object


def engines_of(pod: Object) -> list[int]:
    """The engine's processes; empty where the node's processes are not this machine's."""
    return [
        int(folder.name) for folder in Path("/proc").iterdir() if _is_engine(folder, pod["metadata"]["uid"])
    ]


def _is_engine(folder: Path, uid: str) -> bool:
    if not folder.name.isdigit():
        return False
    try:
        groups, command = (folder / "cgroup").read_text(), (folder / "cmdline").read_bytes()
    except OSError:
        return False  # it has ended meanwhile
    ours = uid in groups or uid.replace("-", "_") in groups  # as cgroupfs and systemd write it
    return ours and bool(command) and b"pause" not in command  # the sandbox's own process holds the network


def kill_engine(pod: Object) -> None:
    """SIGKILL, as the kernel sends it where memory ends. Only to what is in the pod's own control groups."""
    for number in engines_of(pod):
        os.kill(number, signal.SIGKILL)
