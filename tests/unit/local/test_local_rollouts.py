"""How a changed spec reaches running workers on a machine whose cores are few."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.local.machine import Machine
from tests.unit.local.services import document, scaling
from tests.unit.virtual_time import run


def changed(rollout: str, word: str) -> dict[str, object]:
    return document(**scaling(), rollout=rollout, engine={"args": [word]})


def test_replace_ends_the_old_worker_before_the_new_one_begins(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, changed("Replace", "--a")) as machine:
            await machine.awake()
            (old,) = machine.pods.alive()
            together: list[int] = []
            machine.pods.on_create = lambda _: together.append(len(machine.pods.pods))
            machine.write(changed("Replace", "--b"))
            await asyncio.sleep(3)
            assert old.gone_by is not None
            assert not together, "the old one still serves its last request"
            machine.gateway.finish()
            machine.gateway.arrive()  # it is held
            await asyncio.sleep(20)
            (new,) = machine.pods.alive()
            assert together == [0]
            assert new.template != old.template
            assert machine.status["phase"] == "Running"
            assert not machine.service.waiting

    run(life())


def test_surge_begins_the_new_worker_first_where_there_are_cores(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, changed("Surge", "--a"), cores=2) as machine:
            await machine.awake()
            (old,) = machine.pods.alive()
            machine.write(changed("Surge", "--b"))
            await asyncio.sleep(3)
            assert [pod.state for pod in machine.pods.alive()] == ["ready", "starting"]
            await asyncio.sleep(6)
            (new,) = machine.pods.alive()
            assert new.template != old.template
            assert machine.status["phase"] == "Running"

    run(life())


def test_surge_without_room_ends_the_old_worker_first_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life() -> None:
        async with Machine(tmp_path, changed("Surge", "--a"), cores=1) as machine:
            await machine.awake()
            (old,) = machine.pods.alive()
            machine.gateway.finish()
            machine.write(changed("Surge", "--b"))
            await asyncio.sleep(3)
            machine.gateway.arrive()
            await asyncio.sleep(10)
            (new,) = machine.pods.alive()
            assert new.template != old.template
            assert machine.status["phase"] == "Running"

    run(life())
    said = [record.message for record in caplog.records if "no room" in record.message]
    assert len(said) == 1
    assert "default/tide" in said[0]


def test_a_change_that_no_worker_is_made_from_ends_none(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            machine.write(document(**scaling(idleTimeoutSeconds=500)))
            await asyncio.sleep(5)
            assert machine.pods.made == 1
            assert machine.status["observedGeneration"] == 2

    run(life())
