"""The time of each part of the start, as the engine's process marks it and the first process tells it.

Both are one process until the fork, so they share a page of memory: a mark is one store into it.
"""

from __future__ import annotations

import mmap

PARTS = ("interpreter", "imports", "config", "engine", "serving")
LOADING = "engine"  # the first part in which the engine works on the model: its processes, weights, warm-up
SHARED_BYTES = 4096
DOING = {
    "interpreter": "was starting Python",
    "imports": "was importing vLLM",
    "config": "was reading the model's configuration",
    "engine": "was loading the model",
    "serving": "was starting its server",
}


class StartMarks:
    """Made before the fork; ``mark`` in the child is seen by ``told`` in the parent."""

    def __init__(self) -> None:
        self._seconds = memoryview(mmap.mmap(-1, SHARED_BYTES)).cast("d")

    def mark(self, part: str, seconds: float) -> None:
        """A part is over and has taken so long; one that is not known here is not told."""
        if part in PARTS:
            self._seconds[PARTS.index(part)] = max(seconds, 1e-6)  # 0 is one that is not over

    def told(self) -> dict[str, object]:
        """Seconds of each part that is over. ``loadsAfterSeconds``: from the process's start until the
        engine began to load; ``servesAfterSeconds``: until connections were accepted. None: not yet."""
        over = {part: seconds for part, seconds in zip(PARTS, self._seconds, strict=False) if seconds}
        before = PARTS[: PARTS.index(LOADING)]
        return {
            "parts": {part: round(seconds, 3) for part, seconds in over.items()},
            "loadsAfterSeconds": _sum(over, before),
            "servesAfterSeconds": _sum(over, PARTS),
        }

    def under_way(self) -> str:
        """What the start is at, as the rest of a sentence."""
        over = [part for part, seconds in zip(PARTS, self._seconds, strict=False) if seconds]
        return next((DOING[part] for part in PARTS if part not in over), "was serving")


def _sum(over: dict[str, float], parts: tuple[str, ...]) -> float | None:
    return round(sum(over[part] for part in parts), 3) if over.keys() >= set(parts) else None
