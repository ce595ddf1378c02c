"""What waits for a disk or a file server holds up nothing else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from tests.unit.local.machine import Machine
from tests.unit.local.services import KEY, build, document, scaling
from tests.unit.virtual_time import run
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.local.aside import aside
from tidegate.local.worker.template import WorkerTemplate

T = TypeVar("T")
STUCK = "stuck"  # the service whose model is on a server that does not answer
ENDLESS = """
import asyncio, threading
from tidegate.local.aside import aside

async def main():
    try:
        await asyncio.wait_for(aside(threading.Event().wait), 0.1)
    except TimeoutError:
        print("given up", flush=True)

asyncio.run(main())
"""


class HangsError(Exception):
    """The work would not return."""


class Disk:
    """Of a machine: as it is told, it does not answer."""

    def __init__(self) -> None:
        self.builds = 0
        self.hangs = True
        self.answers = asyncio.Event()

    def build(self, service: InferenceService, secrets: Mapping[str, Mapping[str, str]]) -> WorkerTemplate:
        if service.metadata.name == STUCK and self.hangs:
            raise HangsError
        return build(service, secrets)

    async def aside(self, work: Callable[[], T], /) -> T:
        try:
            return work()
        except HangsError:
            self.builds += 1
            await self.answers.wait()
            return work()


def test_a_service_whose_model_cannot_be_looked_at_holds_up_no_other_one(tmp_path: Path) -> None:
    async def life() -> None:
        disk, stuck = Disk(), ServiceKey("default", STUCK)
        both = (document(**scaling()), document(STUCK, **scaling()))
        async with Machine(tmp_path, *both, build=disk.build, aside=disk.aside) as machine:
            await machine.awake()
            with pytest.raises(WakeError, match="file system has not answered for 5 s"):
                await machine.supervisor.wake(stuck)
            machine.write(document(**scaling(), suspend=True), both[1])
            machine.gateway.finish()
            await asyncio.sleep(30)
            assert machine.status["phase"] == "Suspended", "manifests are followed as ever"
            assert disk.builds == 1, "nobody asks again while the first answer is out"
            disk.hangs = False
            disk.answers.set()
            await asyncio.sleep(30)
            assert await machine.supervisor.wake(stuck)

    run(life())


def test_a_service_that_goes_while_its_model_is_looked_for_is_not_woken(tmp_path: Path) -> None:
    async def life() -> None:
        disk, stuck = Disk(), ServiceKey("default", STUCK)
        machine = Machine(tmp_path, document(STUCK, **scaling()), build=disk.build, aside=disk.aside)
        async with machine:
            machine.write()
            await asyncio.sleep(1)
            wake = asyncio.create_task(machine.supervisor.wake(stuck))
            await asyncio.sleep(8)
            disk.hangs = False
            disk.answers.set()
            with pytest.raises(WakeError, match="in no manifest any more"):
                await wake
            assert not machine.pods.pods

    run(life())


def test_a_look_that_fails_for_any_reason_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life() -> None:
        broken: list[Exception] = []

        async def at_times(work: Callable[[], T], /) -> T:
            if broken:
                raise broken[0]
            return work()

        async with Machine(tmp_path, document(**scaling()), aside=at_times) as machine:
            await machine.awake()
            broken.append(RuntimeError("can't start new thread"))
            machine.write(document(**scaling(), suspend=True))
            await asyncio.sleep(20)
            assert machine.status["phase"] == "Running"
            broken.clear()
            machine.gateway.finish()
            await asyncio.sleep(10)
            assert machine.status["phase"] == "Suspended"
            assert not any(task.done() for task in machine.tasks)

    run(life())
    assert len([each for each in caplog.records if "could not be looked at" in each.message]) == 1


def test_a_changed_secret_is_in_the_next_template(tmp_path: Path) -> None:
    async def life() -> None:
        def secret(value: str) -> dict[str, object]:
            data = {"stringData": {"key": value}}
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, **data}

        async with Machine(tmp_path, document(**scaling()), secret("old")) as machine:
            await machine.awake()
            (before,) = machine.pods.alive()
            machine.write(document(**scaling()), secret("new"))
            await asyncio.sleep(60)
            assert all(pod.template != before.template for pod in machine.pods.alive())
            assert KEY in machine.gateway.services

    run(life())


async def test_the_loop_goes_on_while_work_waits_and_gets_what_comes_of_it() -> None:
    gate = threading.Event()
    task = asyncio.create_task(aside(lambda: gate.wait(60)))
    await asyncio.sleep(0)
    gate.set()
    assert await task
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


def test_a_process_ends_though_its_work_never_does() -> None:
    done = subprocess.run([sys.executable, "-c", ENDLESS], capture_output=True, timeout=120, check=True)
    assert done.stdout == b"given up\n"
