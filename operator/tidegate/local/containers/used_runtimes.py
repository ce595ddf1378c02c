"""Which container runtimes a supervisor has started workers with, in a file that outlives all records."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class UsedRuntimes:
    """One name in each line. Who finds a name asks that runtime for containers that nobody looks after."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def names(self) -> set[str]:
        """All of them; none where there is no file."""
        with suppress(FileNotFoundError):
            return set(self._file.read_text(encoding="utf-8").split())
        return set()

    def add(self, name: str) -> None:
        """Before the first container is started. OSError where it cannot be written down."""
        if name not in (known := self.names()):
            self._write(known | {name})

    def remove(self, name: str) -> None:
        """Nothing is left there."""
        if name in (known := self.names()):
            self._write(known - {name})

    def _write(self, names: set[str]) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text("".join(f"{each}\n" for each in sorted(names)), encoding="utf-8")
        beside.replace(self._file)
