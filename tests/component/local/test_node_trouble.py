"""Trouble with one worker, or with the machine, is not the end of the others."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.component.local.node_harness import engine, opened, script, until
from tidegate.local.machine.node_host import Host
from tidegate.local.processes.groups import Group
from tidegate.local.worker.pod_state import PodState

DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    "time.sleep(600)"
)
LIMIT = (
    "import resource, time; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True); time.sleep(600)"
)


class Failing:
    """A function that first fails this often for want of a file."""

    def __init__(self, real: Any, times: int) -> None:
        self.left = times
        self._real = real

    def __call__(self, *args: Any) -> Any:
        if self.left > 0:
            self.left -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._real(*args)


async def test_a_worker_whose_files_cannot_be_removed_is_gone_and_the_others_go_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        names = [pods.node.create(engine()) for _ in range(2)]
        await pods.until_ready(0)
        await pods.until_ready(1)
        message = tmp_path / "workers" / f"{pods.facts()[0].uid}.message"
        message.unlink()
        message.mkdir()
        pods.node.delete("default", names[0])
        await until(lambda: len(pods.all()) == 1)
        message.rmdir()
        assert pods.facts()[0].ready


async def test_a_group_that_cannot_be_ended_yet_is_ended_as_soon_as_that_is_possible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(engine())
        await pods.until_ready()
        failing = Failing(Group.kill, 2)

        def kill(group: Group) -> Any:
            return failing(group)

        monkeypatch.setattr(Group, "kill", kill)
        pods.node.delete("default", name)
        await until(lambda: not pods.all())
        assert failing.left == 0
        assert not pods.processes()


async def test_a_worker_that_runs_survives_that_there_are_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Failing(os.pidfd_open, 2)
    monkeypatch.setattr(os, "pidfd_open", opening)
    async with opened(tmp_path) as pods:
        pods.node.create(engine())
        first = await until(pods.pid)
        assert await pods.until_ready() == first
        assert opening.left == 0
        assert pods.container()["restartCount"] == 0


async def test_a_worker_has_the_limit_of_files_that_is_set_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path, worker_files=57) as pods:
        assert await pods.first_line(pods.node.create(script(LIMIT))) == "57"


async def test_one_that_is_deleted_while_it_is_asked_what_holds_it_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as pods:

        async def held(_: Host, state: PodState) -> PodState:
            pods.node.delete("default", state.name)
            return state

        monkeypatch.setattr(Host, "held", held)
        name = pods.node.create(script(DEAF, grace_seconds=300.0))
        await until(lambda: not pods.all())
        assert not (tmp_path / "logs/default" / f"{name}.log").exists()


async def test_a_clock_that_is_set_back_lengthens_no_grace(tmp_path: Path) -> None:
    ahead = 0.0
    async with opened(tmp_path, now=lambda: time.time() + ahead) as pods:
        name = pods.node.create(script(DEAF, grace_seconds=0.5))
        await pods.first_line(name)
        pods.node.delete("default", name)
        ahead = -3600.0
        await until(lambda: not pods.all())


async def test_a_clock_that_is_set_back_lengthens_no_start(tmp_path: Path) -> None:
    ahead = 0.0
    async with opened(tmp_path, now=lambda: time.time() + ahead) as pods:
        pods.node.create(script("import time; time.sleep(600)", startup_deadline=1.0))
        await until(pods.pid)
        ahead = -3600.0
        await until(lambda: "terminated" in pods.container().get("lastState", {}))
