"""What `tidegate up` leaves of the machine where none of its workers ran when it was told to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.component.local.manifests import service
from tests.component.local.place import Place
from tidegate.local.processes.own_cgroup import own_cgroup
from tidegate.local.worker.worker_files import WorkerFiles


def groups(state: Path) -> list[Path]:
    """The control groups that hold the workers of a state folder."""
    own = own_cgroup()
    tops = [*own.first.values(), *([own.second, own.second.parent] if own.second else [])]
    name = f"tidegate-{WorkerFiles(state).identity[:8]}"
    return [top / name for top in tops if (top / name).is_dir()]


async def test_no_control_group_stays_of_one_that_had_no_worker(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    if not groups(here.state):
        pytest.skip("this user may make no control groups here")
    assert await up.stop() == 0, up.said()
    assert not groups(here.state)
