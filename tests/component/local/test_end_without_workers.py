"""What `tidegate up` leaves of the machine where none of its workers ran when it ended or was killed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.component.local.groups import groups_of
from tests.component.local.manifests import service
from tests.component.local.place import Place
from tests.component.local.waiting import until
from tidegate.local.processes.cgroups import MEMORY
from tidegate.local.processes.own_cgroup import own_cgroup

ENTER = 'echo 0 > "$0"/tasks && exec "$@"'


@pytest_asyncio.fixture
async def elsewhere() -> AsyncIterator[Path]:
    """A control group beside this process's own, as another session of the same user has one."""
    top = own_cgroup().first.get(MEMORY)
    folder = top / f"elsewhere-{os.getpid()}" if top else None
    try:
        if folder is not None:
            folder.mkdir()
    except OSError:
        folder = None
    if folder is None:
        pytest.skip("this user may make no control groups of version 1 here")
    try:
        yield folder
    finally:
        await until(lambda: _removed(folder), f"{folder} can be removed")


def _removed(folder: Path) -> bool:
    """The kernel counts a process that has ended for a moment more."""
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()


def made_in(folder: Path) -> list[Path]:
    """What supervisors have made there."""
    return list(folder.glob("tidegate-*"))


async def test_no_control_group_stays_of_one_that_had_no_worker(here: Place) -> None:
    here.put(service("tide", idle=600))
    up = await here.start()
    if not groups_of(here.state):
        pytest.skip("this user may make no control groups here")
    assert await up.stop() == 0, up.said()
    assert not groups_of(here.state)


async def test_down_elsewhere_finds_the_control_groups_of_one_that_was_killed(
    elsewhere: Path, here: Place
) -> None:
    here.put(service("tide", idle=600))
    up = await here.start(under=("/bin/sh", "-c", ENTER, str(elsewhere)))
    [made] = made_in(elsewhere)
    await up.kill()
    assert made.is_dir()
    said = await here.tidegate("down", "--state", str(here.state))
    assert said.code == 0, said
    assert not made.exists()
    assert not groups_of(here.state)
