"""Kernel settings of the whole machine that a kubelet changes: remembered before, put back after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.layout import State

PROC_SYS = Path("/proc/sys")
CHANGED_BY_KUBELET = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


@dataclass(frozen=True)
class Sysctls:
    """Remembers the settings in the state folder, so that a killed run can be cleaned up after, too."""

    state: State
    root: Path = PROC_SYS

    @property
    def _file(self) -> Path:
        return self.state.root / "sysctls.json"

    def remember(self) -> None:
        """Writes the present values down, unless an earlier run already did."""
        if self._file.exists():
            return
        values = {
            name: (self.root / name).read_text() for name in CHANGED_BY_KUBELET if (self.root / name).exists()
        }
        self._file.write_text(json.dumps(values))

    def restore(self) -> None:
        """Puts the remembered values back."""
        for name, value in self._remembered().items():
            if (self.root / name).read_text() != value:
                (self.root / name).write_text(value)

    def _remembered(self) -> dict[str, str]:
        try:
            values: dict[str, str] = json.loads(self._file.read_text())
        except (OSError, ValueError):  # nothing was remembered: nothing was started
            return {}
        return values
