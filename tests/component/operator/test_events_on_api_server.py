"""Events that a person reads, before a real API server; and what kubectl makes of the status."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, failed_status, ready_status, running_operator
from tests.component.programs import find_program
from tidegate.devcluster import ApiServer
from tidegate.kube import paths
from tidegate.kube.client import Json

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]


async def events(world: World, name: str) -> list[Json]:
    """The Events of a service, oldest first."""
    found, _ = await world.kube.list_all(paths.events(world.namespace))
    about = [each for each in found if each["regarding"].get("name") == name]
    return sorted(about, key=lambda each: str(each["eventTime"]))


async def reasons(world: World, name: str) -> list[str]:
    """Their reasons."""
    return [each["reason"] for each in await events(world, name)]


async def test_a_life_is_told_in_events_that_kubectl_describe_shows(world: World, server: ApiServer) -> None:
    await world.idle("told")
    await world.scale("told", 1)
    await world.pod("told", "told-1", failed_status("ModelNotFound: no config.json"))
    await world.phase("told", "Failed")
    await world.pod("told", "told-1", ready_status(time.time()))
    await world.phase("told", "Running")
    await world.change("told", suspend=True)
    wanted = ["Woken", "ModelNotFound", "Recovered", "ColdStart", "Asleep"]

    async def complete() -> bool:
        return sorted(await reasons(world, "told")) == sorted(wanted)

    await eventually(complete, "five Events are there")
    (failed,) = [each for each in await events(world, "told") if each["reason"] == "ModelNotFound"]
    assert failed["type"] == "Warning"
    assert failed["note"].startswith("no config.json")
    assert failed["reportingController"] == "tidegate.io/operator"
    assert failed["regarding"]["uid"] == (await world.get("told"))["metadata"]["uid"]
    shown = await kubectl(server, "describe", "infsvc", "told", "-n", world.namespace)
    assert all(reason in shown.partition("Events:")[2] for reason in wanted)


async def test_what_lasts_is_announced_once(world: World, stage: Stage) -> None:
    await world.idle("lasting")
    await world.scale("lasting", 1)
    await world.pod("lasting", "lasting-1", failed_status("OutOfDisk: one"))
    await world.phase("lasting", "Failed")
    for words in ("OutOfDisk: two", "OutOfDisk: three"):
        await world.pod("lasting", "lasting-1", failed_status(words))
        await eventually(partial(_says, world, words), "the message is the new one")
    await stage.operator.settled(1.0)
    assert (await reasons(world, "lasting")).count("OutOfDisk") == 1


async def _says(world: World, words: str) -> bool:
    return bool((await world.condition("lasting"))["message"] == words.partition(": ")[2])


async def test_an_operator_that_starts_announces_nothing_of_what_was_so(
    world: World, stage: Stage, tmp_path: Path
) -> None:
    await world.idle("known")
    await world.scale("known", 1)
    await world.pod("known", "known-1", failed_status("OutOfDisk: full"))
    await world.phase("known", "Failed")

    async def announced() -> bool:
        return "OutOfDisk" in await reasons(world, "known")

    await eventually(announced, "the failure is announced")
    before = await reasons(world, "known")
    version = (await world.get("known"))["metadata"]["resourceVersion"]
    async with running_operator(stage.operator.proxy, tmp_path):
        await stage.operator.settled(2.0)
    assert await reasons(world, "known") == before
    assert (await world.get("known"))["metadata"]["resourceVersion"] == version


async def test_kubectl_wait_for_ready_ends_asleep_and_once_a_worker_serves(
    world: World, server: ApiServer
) -> None:
    await world.idle("waited")
    words = ("wait", "--for=condition=Ready", "infsvc/waited", "-n", world.namespace)
    assert "condition met" in await kubectl(server, *words, "--timeout=60s")
    await world.scale("waited", 1)
    await world.phase("waited", "Starting")
    waiting = asyncio.create_task(kubectl(server, *words, "--timeout=60s"))
    await world.pod("waited", "waited-1", ready_status(time.time()))
    assert "condition met" in await waiting


async def test_kubectl_wait_does_not_take_an_older_generation_for_this_one(world: World) -> None:
    await world.idle("generation")
    await world.change("generation", scaling={"idleTimeoutSeconds": 77})

    async def seen() -> bool:
        now = await world.get("generation")
        about = {each["observedGeneration"] for each in now["status"]["conditions"]}
        return bool(about == {now["metadata"]["generation"]} == {now["status"]["observedGeneration"]})

    await eventually(seen, "status and every condition are about the new generation")


async def kubectl(server: ApiServer, *words: str) -> str:
    """What kubectl prints."""
    process = await asyncio.create_subprocess_exec(
        str(find_program("kubectl")),
        *words,
        env=os.environ | {"KUBECONFIG": str(server.kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
    return output.decode()
