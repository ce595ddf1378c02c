"""Workers as containers: real processes behind a program that is called as podman and docker are."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tidegate.domain.service import ServiceKey
from tidegate.local.containers.command_line import Place, run
from tidegate.local.containers.container_runtime import Runtime, end, find, find_runtime
from tidegate.local.worker.template import WorkerTemplate

PATIENCE = 60.0
SECRET = "hf_only_for_this_test"  # noqa: S105
ENTRYPOINT = """
import json, os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
with open(os.environ["TOLD"] + ".draft", "w") as told:
    json.dump({"pid": os.getpid(), "arguments": sys.argv[1:], "environment": dict(os.environ)}, told)
os.rename(os.environ["TOLD"] + ".draft", os.environ["TOLD"])
signal.sigwait({signal.SIGTERM})
sys.exit(7)
"""


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def alive(pid: int) -> bool:
    """Whether it runs: one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass
class Machine:
    folder: Path
    runtime: Runtime
    clients: list[asyncio.subprocess.Process]

    async def start(self, uid: str, state: str = "one", **variables: str) -> asyncio.subprocess.Process:
        told = {"TOLD": str(self.folder / f"told-{uid}"), **variables}
        start = run(self.runtime, template(told), place(uid, state))
        client = await asyncio.create_subprocess_exec(
            *start.argv, env={**os.environ, **start.environment}, start_new_session=True
        )
        self.clients.append(client)
        await until((self.folder / f"told-{uid}").exists)
        await until((self.folder / "books" / f"{self.pid(uid):064x}").exists)
        return client

    def told(self, uid: str) -> dict[str, object]:
        said: dict[str, object] = json.loads((self.folder / f"told-{uid}").read_text())
        return said

    def pid(self, uid: str) -> int:
        pid = self.told(uid)["pid"]
        assert isinstance(pid, int)
        return pid


def template(environment: dict[str, str]) -> WorkerTemplate:
    return WorkerTemplate(
        key=ServiceKey("team", "chat"),
        hash="abc",
        command=("--model", "/models/chat"),
        environment=environment,
        resources={},
        cores=1,
        memory=1 << 30,
        shared_memory=None,
        devices=0,
        device_resource="",
        exclusive=False,
        readiness_path="/v1/models",
        startup_deadline=900,
        grace_seconds=30.0,
        runtime="podman",
        image="example/worker:1",
    )


def place(uid: str, state: str) -> Place:
    return Place(state, uid, f"chat-{uid}", "127.84.0.7", (), (), None, (os.getuid(), os.getgid()))


@pytest.fixture
async def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    (tmp_path / "books").mkdir()
    (tmp_path / "entrypoint.py").write_text(ENTRYPOINT)
    program = tmp_path / "podman"
    program.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).with_name("runtime_program.py")}" "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CONTAINERS", str(tmp_path / "books"))
    monkeypatch.setenv("FAKE_ENTRYPOINT", str(tmp_path / "entrypoint.py"))
    made = Machine(tmp_path, await find_runtime("podman"), [])
    try:
        yield made
    finally:
        await tidy(made)


async def tidy(machine: Machine) -> None:
    for book in (machine.folder / "books").glob("?" * 64):
        with suppress(ProcessLookupError):
            os.kill(int(book.name, 16), signal.SIGKILL)
    for client in machine.clients:
        if client.returncode is None:
            client.kill()
        await client.wait()


async def within(answer: Awaitable[int]) -> int:
    async with asyncio.timeout(PATIENCE):
        return await answer


async def test_what_runs_in_the_container_has_its_own_variables_and_nothing_of_the_supervisors(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SUPERVISOR", "1")
    await machine.start("a", HF_TOKEN=SECRET, HOME="/home/inside")
    told = machine.told("a")
    environment = told["environment"]
    assert isinstance(environment, dict)
    assert (environment["HF_TOKEN"], environment["HOME"]) == (SECRET, "/home/inside")
    assert "OF_THE_SUPERVISOR" not in environment
    assert told["arguments"] == ["--model", "/models/chat", "--host", "127.84.0.7"]


async def test_a_secret_is_in_nobodys_command_line(machine: Machine) -> None:
    client = await machine.start("a", HF_TOKEN=SECRET)
    for pid in (client.pid, machine.pid("a")):
        assert SECRET not in command_line(pid)


async def test_sigterm_to_the_client_reaches_the_worker_and_its_exit_code_comes_back(
    machine: Machine,
) -> None:
    client = await machine.start("a")
    client.terminate()
    assert await within(client.wait()) == 7
    assert await find(machine.runtime, "one") == ()


async def test_a_container_whose_client_was_killed_is_found_and_ended(machine: Machine) -> None:
    client = await machine.start("a")
    client.kill()
    await within(client.wait())
    assert alive(machine.pid("a")), "this is why it must be looked for"
    (found,) = await find(machine.runtime, "one")
    assert (found.uid, found.pid) == ("a", machine.pid("a"))
    assert await end(machine.runtime, "one", "a") == 1
    await until(lambda: not alive(machine.pid("a")))
    assert await end(machine.runtime, "one", "a") == 0, "nothing is left, and that is no error"


async def test_containers_of_other_workers_and_of_other_supervisors_are_left_alone(machine: Machine) -> None:
    for uid, state in (("a", "one"), ("b", "one"), ("c", "two")):
        await machine.start(uid, state)
    assert {each.uid for each in await find(machine.runtime, "one")} == {"a", "b"}
    assert await end(machine.runtime, "one", "a") == 1
    await until(lambda: not alive(machine.pid("a")))
    assert alive(machine.pid("b"))
    assert alive(machine.pid("c"))


async def test_a_runtime_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^no-such-runtime: is not on PATH; install it, or leave"):
        await find_runtime("no-such-runtime")


async def test_a_runtime_that_does_not_work_is_named_with_its_last_words(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BROKEN", "first\nCannot connect to the daemon")
    with pytest.raises(ValueError, match=r"^podman info failed: Cannot connect to the daemon$"):
        await find_runtime("podman")
