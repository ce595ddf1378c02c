"""How a worker ends: its grace, what is left of its group, and what is told of its end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.component.local.node_harness import engine, opened, processes_of, script, shell, until
from tidegate.local.worker.worker_files import previous_log

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    "time.sleep(600)"
)
# A child in its own group, one in a session of its own, and one whose parent has gone.
FAMILY = (
    "import os, subprocess, sys, time; sleep = ['sleep', '600']; "
    "subprocess.Popen(sleep, process_group=0); subprocess.Popen(sleep, start_new_session=True); "
    "subprocess.run(['/bin/sh', '-c', 'sleep 600 &']); print('born', flush=True); time.sleep(600)"
)


async def logged(pods: object, name: str, word: str) -> None:
    log = pods.node.log("default", name)  # type: ignore[attr-defined]
    await until(lambda: log.exists() and word in log.read_text())


async def test_a_deleted_worker_is_told_to_end_and_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(engine())
        await pods.until_ready()
        pods.node.delete("default", name)
        assert pods.facts()[0].terminating
        await until(lambda: not pods.all())
        assert not pods.processes()
        await until(lambda: not list((tmp_path / "workers").iterdir()))
        await until(lambda: not list((tmp_path / "tmp").iterdir()))


async def test_one_that_does_not_hear_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(script(STUBBORN, grace_seconds=0.5))
        await logged(pods, name, "deaf")
        pods.node.delete("default", name)
        await until(lambda: not pods.all())
        assert not pods.processes()


async def test_whatever_a_worker_began_ends_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(script(FAMILY))
        await logged(pods, name, "born")
        await until(lambda: len(pods.processes()) == 4)
        pods.node.delete("default", name)
        await until(lambda: not pods.all())
        assert not pods.processes()


async def test_what_a_dead_leader_left_is_ended_before_the_next_one_begins(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(script(FAMILY))
        await logged(pods, name, "born")
        before = pods.processes()
        signal_to(pods.pid(), signal.SIGKILL)
        await until(lambda: pods.container()["restartCount"] == 1)
        assert not before & pods.processes()


def signal_to(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


async def test_the_end_is_told_with_its_code_and_the_last_lines(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(shell("echo one; echo two >&2; exit 3"))
        await until(lambda: pods.container()["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
        last = pods.container()["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "one\ntwo")
        cause = pods.facts()[0].cause
        assert cause is not None
        assert (cause.reason, cause.failure) == ("EngineFailed", True)


async def test_the_termination_message_is_the_cause(tmp_path: Path) -> None:
    line = "ModelNotFound: /models/x is not there"
    async with opened(tmp_path) as pods:
        pods.node.create(shell(f'echo "{line}" > "$TIDEGATE_TERMINATION_MESSAGE"; exit 1'))
        await until(lambda: (found := pods.facts()[0].cause) and found.failure)
        cause = pods.facts()[0].cause
        assert cause is not None
        assert f"{cause.reason}: {cause.message}" == line


async def test_a_signal_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(shell("kill -SEGV $$"))
        await until(lambda: (found := pods.facts()[0].cause) and found.failure)
        last = pods.container()["lastState"]["terminated"]
        assert (last["exitCode"], last["signal"]) == (139, 11)


async def test_the_output_of_the_process_before_is_kept(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(shell("echo $$; exit 1"))
        await until(lambda: pods.container().get("restartCount") == 1)
        await until(lambda: pods.container()["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
        log = pods.node.log("default", name)
        assert log is not None
        assert log.read_text() != previous_log(log).read_text() != ""


async def test_a_start_that_takes_too_long_is_ended_and_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(script("import time; time.sleep(600)", startup_deadline=0.3))
        await until(lambda: "terminated" in pods.container().get("lastState", {}))
        last = pods.container()["lastState"]["terminated"]
        assert last["exitCode"] == 143


async def test_one_that_waits_to_begin_again_can_be_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        name = pods.node.create(shell("exit 1"))
        await until(lambda: pods.container()["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff")
        pods.node.delete("default", name)
        await until(lambda: not pods.all())


async def test_all_end_together_and_a_second_word_ends_them_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        for _ in range(3):
            name = pods.node.create(script(STUBBORN, grace_seconds=300.0))
            await logged(pods, name, "deaf")
        slowly = asyncio.create_task(pods.node.end_all())
        await asyncio.sleep(0)
        assert all(each.terminating for each in pods.facts())
        await pods.node.end_all(at_once=True)
        await slowly
        assert not processes_of(tmp_path)


async def test_a_worker_that_answers_no_more_is_not_ready_and_comes_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as pods:
        pods.node.create(engine())
        pid = await pods.until_ready()
        signal_to(pid, signal.SIGSTOP)
        await until(lambda: not pods.facts()[0].ready)
        assert pods.container()["started"]
        signal_to(pid, signal.SIGCONT)
        await pods.until_ready()
        assert pods.pid() == pid
