"""What belongs to a worker, whoever it runs as, and what only looks as if it did."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.component.local.node_harness import end_all, opened, processes_of, script, shell, until
from tidegate.local.machine import adopting
from tidegate.local.processes import group_ends
from tidegate.local.processes.table import look_at

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
# It reads its mark away, ignores SIGTERM, and is another user's from its second program on.
ANOTHERS = (
    "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execve('/bin/sleep', ['sleep', '600'], {})"
)
LEAVES = (
    "import subprocess, time; "
    "print(subprocess.Popen(['/bin/sleep', '600'], env={}, user=65534).pid, flush=True); time.sleep(600)"
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    end_all(tmp_path / "state")


def runs(pid: int) -> bool:
    """Whether it does; one that has ended may wait for the first process of the machine."""
    seen = look_at(pid)
    return seen is not None and not seen.ended


def name_of(pid: int) -> str:
    """Its program; empty where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@contextmanager
def without_leader() -> Iterator[tuple[int, int]]:
    """A process of nobody's, and its session's number, whose leader is gone."""
    reading, writing = os.pipe()
    line = ["/bin/sh", "-c", "sleep 600 </dev/null >/dev/null 2>&1 & echo $!"]
    actions = [(os.POSIX_SPAWN_DUP2, writing, 1)]
    leader = os.posix_spawn(line[0], line, os.environ, file_actions=actions, setsid=True)
    os.close(writing)
    with os.fdopen(reading) as told:
        stranger = int(told.readline())
    os.waitpid(leader, 0)
    try:
        yield stranger, leader
    finally:
        os.kill(stranger, signal.SIGKILL)


@root_only
async def test_a_worker_that_became_another_user_and_hears_nothing_is_killed(state: Path) -> None:
    async with opened(state) as pods:
        name = pods.node.create(script(ANOTHERS, grace_seconds=0.5))
        await until(lambda: (pid := pods.pid()) and name_of(pid) == "sleep")
        pid = pods.pid()
        pods.node.delete("default", name)
        await until(lambda: not pods.all())
        assert not runs(pid)


@root_only
async def test_what_a_worker_left_that_is_another_users_is_ended_by_the_next_supervisor(state: Path) -> None:
    async with opened(state, leave=True) as pods:
        name = pods.node.create(script(LEAVES))
        left, leader = int(await pods.first_line(name)), pods.pid()
    os.kill(leader, signal.SIGKILL)
    await until(lambda: not runs(leader))
    assert left not in processes_of(state)
    async with opened(state) as pods:
        assert not runs(left)
        assert [each.ended for each in pods.facts()] == [True]


async def test_a_session_that_has_the_number_of_a_worker_that_is_gone_is_left_alone(state: Path) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(shell("exec sleep 600"))
        await until(pods.pid)
        worker = pods.pid()
    record = next((state / "workers").glob("*.json"))
    known = json.loads(record.read_text())
    with without_leader() as (stranger, number):
        assert os.getsid(stranger) == number
        known["process"]["pid"] = number
        record.write_text(json.dumps(known))
        async with opened(state) as pods:
            assert not runs(worker)  # its mark proves it
            assert [each.ended for each in pods.facts()] == [True]
            await pods.node.end_all(at_once=True)
            assert runs(stranger)


def refuse(*_: object) -> None:
    """As the kernel does with a process of another user's."""
    raise PermissionError


async def test_a_worker_that_this_user_may_not_end_is_told_and_holds_nobody_up(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(group_ends, "REFUSED_SECONDS", 0.1)
    async with opened(state) as pods:
        name = pods.node.create(shell("exec sleep 600", grace_seconds=0.1))
        await until(pods.pid)
        pid = pods.pid()
        with monkeypatch.context() as refused, caplog.at_level(logging.ERROR, "tidegate"):
            refused.setattr(signal, "pidfd_send_signal", refuse)
            pods.node.delete("default", name)
            await until(lambda: not pods.all())
        assert f"{name}: process {pid} of it cannot be ended by user {os.geteuid()}" in caplog.text
        assert runs(pid)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: os.waitpid(pid, os.WNOHANG)[0])


async def test_what_a_predecessor_left_and_does_not_end_is_told_and_remembered(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(
            script("import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)")
        )
        await until(lambda: len(pods.processes()) == 2)
        leader = pods.pid()
    record = next((state / "workers").glob("*.json"))
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "failed": True}))  # so that nobody wants it any more
    with monkeypatch.context() as refused, caplog.at_level(logging.ERROR, "tidegate"):
        refused.setattr(adopting, "CLEAR_SECONDS", 0.1)
        refused.setattr(signal, "pidfd_send_signal", refuse)
        async with opened(state, leave=True) as pods:
            assert not pods.all()
    assert f"cannot be ended by user {os.geteuid()}" in caplog.text
    assert record.exists()
    assert runs(leader)
    async with opened(state):
        assert not processes_of(state)
        assert not record.exists()
