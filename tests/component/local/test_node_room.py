"""Cores, addresses and ports: who waits for what, and when it begins."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from tests.component.local.node_harness import PLENTY, engine, machine, opened, script, until
from tests.ports import free_ports
from tidegate.local.machine.placing import Machine

WAIT = "import time; time.sleep(600)"


async def test_one_without_a_core_waits_and_begins_when_one_is_free(tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    async with opened(tmp_path, machine=machine(frozenset({core}))) as pods:
        first = pods.node.create(engine(exclusive=True))
        pods.node.create(engine(exclusive=True))
        await pods.until_ready()
        waiting = pods.facts()[1]
        assert waiting.cause is not None
        assert waiting.cause.reason == "Unschedulable"
        assert "of this machine's 1 too few are free" in waiting.cause.message
        pods.node.delete("default", first)
        await until(lambda: len(pods.all()) == 1)
        await pods.until_ready()
        assert pods.facts()[0].name == waiting.name


async def test_one_that_waits_for_a_core_can_be_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path, machine=machine(frozenset({0}))) as pods:
        name = pods.node.create(engine(exclusive=True, cores=2))
        pods.node.delete("default", name)
        assert not pods.all()


async def test_those_that_share_cores_leave_them_when_one_gets_them_to_itself(tmp_path: Path) -> None:
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return
    async with opened(tmp_path) as pods:
        pods.node.create(script(WAIT))
        shared = await until(pods.pid)
        assert os.sched_getaffinity(shared) == set(usable)
        pods.node.create(script(WAIT, exclusive=True))
        own = await until(lambda: pods.pid(1))
        await until(lambda: not os.sched_getaffinity(shared) & os.sched_getaffinity(own))


async def test_devices_are_given_to_one_worker_each(tmp_path: Path) -> None:
    text = "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); time.sleep(600)"
    wants = {"devices": 1, "device_resource": "nvidia.com/gpu"}
    given = Machine(frozenset(os.sched_getaffinity(0)), PLENTY, ("0", "GPU-5a"))
    async with opened(tmp_path, machine=given) as pods:
        names = [pods.node.create(script(text, **wants)) for _ in range(3)]
        assert [await pods.first_line(name) for name in names[:2]] == ["0", "GPU-5a"]
        assert [each["metadata"]["annotations"].get("tidegate.io/devices") for each in pods.all()] == [
            "0",
            "GPU-5a",
            None,
        ]
        cause = pods.facts()[2].cause
        assert cause is not None
        assert "it wants 1 nvidia.com/gpu, and of this machine's 2 too few are free" in cause.message


async def test_a_port_that_somebody_has_on_every_address_is_a_cause(tmp_path: Path) -> None:
    port, isolation = free_ports(2)
    with socket.create_server(("0.0.0.0", port)):  # noqa: S104  that is what is tried
        async with opened(tmp_path, port=port, isolation_port=isolation) as pods:
            pods.node.create(engine())
            cause = await until(lambda: pods.facts()[0].cause)
            assert cause.reason == "PortInUse"
            assert f"something listens on 0.0.0.0:{port}" in cause.message
            assert not pods.pid()
    async with opened(tmp_path, port=port, isolation_port=isolation) as pods:
        pods.node.create(engine())
        await pods.until_ready()


async def test_a_port_that_becomes_free_is_taken(tmp_path: Path) -> None:
    port, isolation = free_ports(2)
    async with opened(tmp_path, port=port, isolation_port=isolation) as pods:
        with socket.create_server(("0.0.0.0", port)):  # noqa: S104  that is what is tried
            pods.node.create(engine())
            await until(lambda: pods.facts()[0].cause)
        await pods.until_ready()


async def test_the_loop_is_free_while_processes_begin_and_end(tmp_path: Path) -> None:
    """Whoever waits for a wake is not the only one who is served."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    try:
        async with opened(tmp_path) as pods:
            pods.node.create(script(WAIT))
            before = turns
            await until(pods.pid)
            assert turns > before
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
