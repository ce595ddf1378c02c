"""The control groups of the workers of one state folder, looked for and taken away by its identity."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tests.component.local.waiting import until
from tidegate.local.processes.own_cgroup import own_cgroup


def tops() -> list[Path]:
    """Where a supervisor that begins as these tests do makes its folders."""
    own = own_cgroup()
    return [*own.first.values(), *([own.second, own.second.parent] if own.second else [])]


def groups_of(state: Path) -> list[Path]:
    """The folders that hold the groups of its workers, also where another supervisor of it was."""
    if not (file := state / "identity").exists():
        return []
    known = (state / "groups").read_text().splitlines() if (state / "groups").exists() else []
    name = f"tidegate-{file.read_text().strip()[:8]}"
    every = dict.fromkeys((*map(Path, known), *(top / name for top in tops())))
    return [folder for folder in every if folder.is_dir()]


async def remove_groups(state: Path) -> None:
    """Of one whose processes have all been killed; the kernel counts them for a moment more."""

    def gone() -> bool:
        for folder in groups_of(state):
            for group in [each for each in folder.iterdir() if each.is_dir()]:
                with suppress(OSError):
                    group.rmdir()
            with suppress(OSError):
                folder.rmdir()
        return not groups_of(state)

    await until(gone, f"no control group is left: {groups_of(state)}")
