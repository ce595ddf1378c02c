"""A worker's control group on this machine, changed from outside as an administrator or a daemon might."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.kubectl import Object

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds


class WorkerCgroup:
    """The groups of the engine's container, in each hierarchy; a test is skipped where it runs elsewhere."""

    def __init__(self, pod: Object) -> None:
        [status] = [each for each in pod["status"]["containerStatuses"] if each["name"] == "engine"]
        number = status["containerID"].rpartition("/")[2]
        self._folders = [path for path in ROOT.rglob(f"*{number}*") if path.is_dir()]
        if not self._folders:
            pytest.skip("the worker's control group is not on this machine")

    @property
    def cpus(self) -> str:
        """The cores that it was given."""
        return self._file("cpuset.cpus").read_text().strip()

    def allow(self, cpus: str) -> None:
        """Let it run on these cores."""
        self._file("cpuset.cpus").write_text(cpus)

    def limit(self, cores: float) -> None:
        """Give it this quota."""
        quota = int(cores * PERIOD)
        unified = [folder / "cpu.max" for folder in self._folders if (folder / "cpu.max").exists()]
        if unified:
            unified[0].write_text(f"{quota} {PERIOD}")
        else:
            self._file("cpu.cfs_quota_us").write_text(str(quota))

    def _file(self, name: str) -> Path:
        return next(folder / name for folder in self._folders if (folder / name).exists())
