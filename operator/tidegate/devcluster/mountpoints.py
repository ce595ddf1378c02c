"""Empty folders of the machine that only serve to mount something over, in a node's own tree."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tidegate.devcluster.layout import State


@dataclass(frozen=True)
class MountPoints:
    """Remembers which folders it made, before it makes them."""

    state: State

    @property
    def _file(self) -> Path:
        return self.state.root / "mountpoints.json"

    def make(self, folders: Iterable[Path]) -> None:
        """Makes those that are missing, with the parents that they need."""
        missing = [
            path for folder in folders for path in (*reversed(folder.parents), folder) if not path.exists()
        ]
        known = [str(path) for path in self.made()]
        self._file.write_text(
            json.dumps([*known, *(str(path) for path in missing if str(path) not in known)])
        )
        for path in missing:
            path.mkdir(exist_ok=True)

    def made(self) -> list[Path]:
        """The folders that this cluster made and that may still be there."""
        try:
            return [Path(path) for path in json.loads(self._file.read_text())]
        except (OSError, ValueError):  # nothing was made
            return []

    def remove(self) -> None:
        """Removes what was made and is empty, the innermost first."""
        for path in sorted(self.made(), key=lambda path: len(path.parts), reverse=True):
            try:
                path.rmdir()
            except OSError:
                continue
