"""A memory limit as a container has it, for a process of this machine: a cgroup of its own (v1 or v2)."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class Limited(list[str]):
    """The command that runs another one within the limit."""

    def __init__(self, folder: Path) -> None:
        super().__init__(["sh", "-c", ENTER, str(folder)])
        self.folder = folder

    def fill(self, mebibytes: int) -> None:
        """A file in memory takes so much of it; it is nobody's own, so the kernel kills who has most."""
        file = Path(f"/dev/shm/{self.folder.name}")  # noqa: S108  memory of the group
        write = ["dd", "if=/dev/zero", f"of={file}", "bs=1M", f"count={mebibytes}", "status=none"]
        try:
            subprocess.run([*self, *write], check=False, timeout=120)
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def memory_limited(limit: int) -> Iterator[Limited]:
    """A command prefix for at most so many bytes; the group goes when its processes have gone."""
    top = MOUNT / "memory" if (MOUNT / "memory").is_dir() else MOUNT
    folder = top / f"tidegate-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        name = "memory.max" if (folder / "memory.max").exists() else "memory.limit_in_bytes"
        (folder / name).write_text(str(limit))
        yield Limited(folder)
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        _remove(folder)


def _remove(folder: Path) -> None:
    """A group can be removed once the kernel has buried the last of its processes."""
    for _ in range(600):
        try:
            folder.rmdir()
        except OSError:
            subprocess.run(["sleep", "0.1"], check=True)
        else:
            return
    raise AssertionError(f"{folder} does not go")
