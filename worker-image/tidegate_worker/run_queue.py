"""How long the engine's threads have waited for a core, by the scheduler's own account."""

from __future__ import annotations

from pathlib import Path

TASKS = 4096  # threads whose waiting is summed, so that an answer stays quick; vLLM has some hundred


class RunQueueDelay:
    """Sums the second field of each thread's schedstat (sched-stats in the kernel's documentation).

    A thread takes its figure with it when it ends, so what it had waited at the last look is kept: the sum
    never goes down. What a thread waited between the last look at it and its end is not seen.
    """

    def __init__(self, leader: int, root: Path = Path("/")) -> None:
        """``leader``: of the engine's process group; ``root``: another place for /proc, for tests."""
        self._leader = leader
        self._root = root
        self._of_ended = 0
        self._of_living: dict[str, int] = {}

    def microseconds(self) -> int:
        """All that was seen to be waited since the engine's start."""
        now = self._read()
        ended = self._of_living.keys() - now.keys()
        again = {task for task, waited in now.items() if waited < self._of_living.get(task, 0)}
        self._of_ended += sum(self._of_living[task] for task in ended | again)
        self._of_living = now
        return (self._of_ended + sum(now.values())) // 1000

    def _read(self) -> dict[str, int]:
        """Nanoseconds of each living thread, by its number."""
        tasks = [task for process in self._group() for task in process.glob("task/*")][:TASKS]
        return {task.name: _waited(task) for task in tasks}

    def _group(self) -> list[Path]:
        """The processes of the engine's group."""
        folders = [folder for folder in (self._root / "proc").iterdir() if folder.name.isdecimal()]
        return [folder for folder in folders if _group_of(folder) == self._leader]


def _waited(task: Path) -> int:
    fields = _text(task / "schedstat").split()
    return int(fields[1]) if len(fields) == 3 else 0


def _group_of(process: Path) -> int | None:
    """The fifth field of stat; the second is a name, which may hold spaces and parentheses."""
    fields = _text(process / "stat").rpartition(")")[2].split()
    return int(fields[2]) if len(fields) > 2 else None


def _text(file: Path) -> str:
    """The content, empty where it cannot be read: a thread may end at any time."""
    try:
        return file.read_text()
    except OSError:
        return ""
