"""What a command is at, on one line of a terminal that is gone when it ends."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self, TextIO

_FROM_START: Final = "\r\x1b[K"  # to the line's begin, and nothing right of it


class Progress:
    """Writes to ``stream`` where that is a terminal, and nothing elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def __enter__(self) -> Self:
        return self

    def begins(self, name: str) -> None:
        """The line is about this part now."""
        self._write(f"{_FROM_START}simulating: {name} …")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(_FROM_START)

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write(text)
            self._stream.flush()
