"""A killed supervisor: its workers go on under the next one, or they are gone, whole."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.component.local.node_harness import ENGINE, end_all, engine, opened, processes_of, script, until
from tidegate.local.processes.table import look_at, mark_of

ROOT = Path(__file__).parents[3]
SERVES = (sys.executable, str(ENGINE), "--host", "{host}", "--port", "{port}", "--model", "m")
DEAF = (
    sys.executable,
    "-c",
    "import signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "subprocess.Popen(['sleep', '600'], start_new_session=True); time.sleep(600)",
)


def ended(pid: int) -> bool:
    """Whether it has; the first process of the machine may not have waited for it yet."""
    seen = look_at(pid)
    return seen is None or seen.ended


class Supervisor:
    """A process that looks after one worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def says(self, word: str) -> str:
        """The first line that has it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while word not in (line := (await self._process.stdout.readline()).decode()):
                assert line, "the supervisor has ended"
        return line

    def tell(self) -> None:
        """To delete its worker."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    async def kill(self) -> None:
        """As the kernel does when memory is short."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def supervisor(state: Path, command: tuple[str, ...], **environment: str) -> AsyncIterator[Supervisor]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.component.local.node_process",
        str(state),
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    running = Supervisor(process)
    try:
        yield running
    finally:
        await running.kill()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    end_all(tmp_path / "state")


async def test_a_worker_goes_on_under_the_next_supervisor(state: Path) -> None:
    async with supervisor(state, SERVES) as first:
        line = await first.says("tidegate.io/pid")
    pid = int(json.loads(line)[0]["annotations"]["tidegate.io/pid"])
    async with opened(state) as pods:
        assert pods.pid() == pid
        assert await pods.until_ready() == pid
        assert pods.container()["restartCount"] == 0
        pods.node.delete("default", pods.facts()[0].name)
        await until(lambda: not pods.all())
        assert not pods.processes()


async def test_one_that_was_ready_is_told_as_ready_since_then(state: Path) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(engine())
        await pods.until_ready()
        before = pods.all()
    async with opened(state) as pods:
        assert pods.all() == before


async def test_an_adopted_worker_that_ends_is_begun_again_from_a_known_template(state: Path) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(engine())
        await pods.until_ready()
    async with opened(state) as pods:
        pods.node.know(engine())
        pid = pods.pid()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pods.container()["restartCount"] == 1)
        assert await pods.until_ready() != pid


async def test_an_adopted_worker_that_ends_is_failed_where_nobody_knows_its_template(state: Path) -> None:
    text = (
        "import os, time; "
        "open(os.environ['TIDEGATE_TERMINATION_MESSAGE'], 'w').write('BadLuck: it rains'); time.sleep(600)"
    )
    async with opened(state, leave=True) as pods:
        pods.node.create(script(text))
        await until(lambda: any(file.stat().st_size for file in state.rglob("*.message")))
    async with opened(state) as pods:
        os.kill(pods.pid(), signal.SIGKILL)
        await until(lambda: pods.facts()[0].ended)
        cause = pods.facts()[0].cause
        assert cause is not None
        assert (cause.reason, cause.message) == ("BadLuck", "it rains")
        pods.node.delete("default", pods.facts()[0].name)
        await until(lambda: not pods.all())


async def test_what_a_worker_left_that_ended_meanwhile_is_gone_and_its_cause_is_told(state: Path) -> None:
    text = (
        "import os, subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True); "
        "open(os.environ['TIDEGATE_TERMINATION_MESSAGE'], 'w').write('BadLuck: it rains'); time.sleep(600)"
    )
    async with opened(state, leave=True) as pods:
        pods.node.create(script(text))
        await until(lambda: any(file.stat().st_size for file in state.rglob("*.message")))
        leader = pods.pid()
    os.kill(leader, signal.SIGKILL)
    await until(lambda: leader not in processes_of(state))
    assert processes_of(state)
    async with opened(state) as pods:
        assert not pods.processes()
        cause = pods.facts()[0].cause
        assert cause is not None
        assert (pods.facts()[0].ended, cause.reason) == (True, "BadLuck")


async def test_what_hides_its_mark_is_found_by_its_session(state: Path) -> None:
    text = (
        "import subprocess, time; "
        "print(subprocess.Popen(['/bin/sleep', '600'], env={}).pid, flush=True); time.sleep(600)"
    )
    async with supervisor(state, (sys.executable, "-c", text)) as first:
        line = await first.says("tidegate.io/pid")
        log = await until(lambda: next((file for file in state.rglob("*.log") if file.stat().st_size), None))
        hidden = int(await until(lambda: "\n" in (said := log.read_text()) and said))
    leader = int(json.loads(line)[0]["annotations"]["tidegate.io/pid"])
    os.kill(leader, signal.SIGKILL)
    await until(lambda: ended(leader))
    assert hidden not in processes_of(state)
    async with opened(state) as pods:
        assert ended(hidden)
        assert [each.ended for each in pods.facts()] == [True]


@pytest.mark.parametrize("broken", ["", "{", '{"name": 5}', "[]"])
async def test_a_worker_whose_record_is_broken_is_ended_whole(state: Path, broken: str) -> None:
    async with supervisor(state, DEAF) as first:
        await first.says("tidegate.io/pid")
        await until(lambda: len(processes_of(state)) == 2)
    next((state / "workers").glob("*.json")).write_text(broken)
    async with opened(state) as pods:
        assert not pods.all()
        assert not processes_of(state)
        assert not list((state / "workers").iterdir())


async def test_a_worker_without_a_record_is_ended_whole(state: Path) -> None:
    async with supervisor(state, DEAF) as first:
        await first.says("tidegate.io/pid")
        await until(lambda: len(processes_of(state)) == 2)
    next((state / "workers").glob("*.json")).unlink()
    async with opened(state):
        assert not processes_of(state)


async def test_a_worker_whose_number_was_not_written_down_is_adopted(state: Path) -> None:
    async with supervisor(state, DEAF) as first:
        line = await first.says("tidegate.io/pid")
        await until(lambda: len(processes_of(state)) == 2)
    pid = int(json.loads(line)[0]["annotations"]["tidegate.io/pid"])
    record = next((state / "workers").glob("*.json"))
    record.write_text(json.dumps({**json.loads(record.read_text()), "process": None}))
    async with opened(state) as pods:
        assert pods.pid() == pid


async def test_a_worker_that_was_ending_is_ended_by_the_next_supervisor(state: Path) -> None:
    async with supervisor(state, DEAF, TIDEGATE_TEST_GRACE="3", TIDEGATE_TEST_DIES="1") as first:
        await first.says("tidegate.io/pid")
        await until(lambda: len(processes_of(state)) == 2)
        first.tell()
        await first.says("deleted")
    assert processes_of(state)
    async with opened(state) as pods:
        assert pods.facts()[0].terminating
        await until(lambda: not pods.all())
        assert not processes_of(state)


async def test_another_process_with_the_same_number_is_not_taken_for_the_worker(state: Path) -> None:
    async with opened(state, leave=True) as pods:
        pods.node.create(engine())
        await pods.until_ready()
    record = next((state / "workers").glob("*.json"))
    known = json.loads(record.read_text())
    stranger = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    try:
        known["process"]["pid"] = stranger.pid
        record.write_text(json.dumps(known))
        async with opened(state) as pods:
            assert [each.ended for each in pods.facts()] == [True]
            assert not processes_of(state)
            assert stranger.returncode is None
            os.kill(stranger.pid, 0)
    finally:
        stranger.kill()
        await stranger.wait()


async def test_workers_of_another_state_folder_are_left_alone(state: Path, tmp_path: Path) -> None:
    async with opened(state) as pods:
        pods.node.create(engine())
        pid = await pods.until_ready()
        async with opened(tmp_path / "other"):
            assert processes_of(state) == {pid}


async def test_a_second_supervisor_of_one_folder_is_refused(state: Path) -> None:
    async with opened(state):
        with pytest.raises(RuntimeError, match="another tidegate looks after the workers in"):
            async with opened(state):
                pass


@pytest.mark.parametrize("seed", range(8))
async def test_killed_at_any_moment_a_supervisor_leaves_no_orphan(state: Path, seed: int) -> None:
    """Of each worker that is there then, the next one knows the first process, or all of it is gone."""
    chance = random.Random(seed)  # noqa: S311  any moment will do
    async with supervisor(state, DEAF, TIDEGATE_TEST_GRACE="0.2") as first:
        if seed % 2:
            await first.says("tidegate.io/pid")
            first.tell()
            await asyncio.sleep(chance.uniform(0, 0.3))
        else:
            await first.says("[")  # the record and the process are about to be
            await asyncio.sleep(chance.uniform(0, 0.01))
    async with opened(state) as pods:
        found = [seen for pid in processes_of(state) if (seen := look_at(pid))]
        sessions = {seen.pid for seen in found if seen.session == seen.pid}
        known = {pods.pid(index) for index in range(len(pods.all()))}
        assert not {pid for pid in known - sessions if pid and not ended(pid)}
        uids = {mark_of(seen.pid).rpartition(":")[2] for seen in found if not ended(seen.pid)}
        assert uids - {""} <= {each.uid for each in pods.facts()}  # without a mark: it has just ended
        await pods.node.end_all(at_once=True)
        assert not processes_of(state)
        assert not list((state / "workers").iterdir())
