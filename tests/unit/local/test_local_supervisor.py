"""A service's life on one machine: asleep, woken by a request, awake, asleep again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.local.machine import Machine
from tests.unit.local.services import KEY, build, document, scaling
from tests.unit.virtual_time import run
from tidegate.api.v1alpha1 import InferenceService
from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceKey
from tidegate.local.worker.template import WorkerTemplate


def test_a_request_starts_the_first_worker_and_idleness_ends_it(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await asyncio.sleep(1)
            phases = [machine.status["phase"]]
            machine.gateway.arrive()
            await asyncio.sleep(1)
            phases.append(machine.status["phase"])
            assert machine.reason("ModelLoaded") == "Loading"
            await asyncio.sleep(5)
            phases.append(machine.status["phase"])
            assert machine.status["ready"] == "1/1"
            assert machine.status["scaling"]["reason"] == "Woken"
            machine.gateway.finish()
            machine.pods.drain = 3.0
            await asyncio.sleep(11)
            phases.append(machine.status["phase"])
            await asyncio.sleep(5)
            phases.append(machine.status["phase"])
            assert phases == ["Idle", "Starting", "Running", "Stopping", "Idle"]
            assert machine.status["scaling"]["reason"] == "Idle"
            assert machine.status["coldStarts"]["count"] == 1

    run(life())


def test_a_wake_makes_the_pod_before_it_returns_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await asyncio.sleep(1)
            assert await machine.supervisor.wake(KEY)
            assert len(machine.pods.alive()) == 1, "no pass had a chance to run"
            assert machine.service.view.workers, "the gateway has been told already"
            assert not await machine.supervisor.wake(KEY)
            await asyncio.sleep(1)
            assert not await machine.supervisor.wake(KEY)
            assert machine.pods.made == 1

    run(life())


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"suspend": True}, "default/tide is suspended: spec.suspend is true"),
        (
            {"scaling": {"mode": "External"}, "replicas": 0},
            "default/tide has as many workers as spec.replicas says (scaling.mode is External)",
        ),
        (
            {"engine": {"args": ["--missing"]}},
            "InvalidSpec: spec.engine.args: --missing is not there",
        ),
    ],
)
def test_a_wake_that_may_not_be_is_refused_with_a_sentence(
    tmp_path: Path, spec: dict[str, Any], sentence: str
) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**spec)) as machine:
            with pytest.raises(WakeError) as refused:
                await machine.supervisor.wake(KEY)
            assert str(refused.value) == sentence
            assert not machine.pods.pods

    run(life())


def test_who_has_no_manifest_is_not_woken_and_nobody_is_once_the_supervisor_has_ended(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling()))
        async with machine:
            with pytest.raises(WakeError, match="in no manifest"):
                await machine.supervisor.wake(ServiceKey("default", "other"))
        with pytest.raises(WakeError, match="ending"):
            await machine.supervisor.wake(KEY)
        assert not machine.pods.pods

    run(life())


def test_a_supervisor_that_is_ended_while_its_gateway_has_news_ends(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling()))
        await machine.begin()
        await asyncio.sleep(1)
        machine.gateway.arrive()  # the news and the end come in one turn of the loop
        for task in machine.tasks:
            task.cancel()
        _, pending = await asyncio.wait(machine.tasks, timeout=60)
        assert not pending
        await machine.end()

    run(life())


def test_a_worker_that_fails_is_told_with_its_cause_and_the_next_request_tries_again(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            machine.pods.failing = True
            machine.gateway.arrive()
            await asyncio.sleep(7)
            assert (machine.status["phase"], machine.reason()) == ("Failed", "ModelNotFound")
            machine.service.waiting = 0  # its client has given up
            machine.service.touched()
            await asyncio.sleep(60)
            assert not machine.pods.pods, "nobody waits for it"
            assert (machine.status["phase"], machine.reason()) == ("Failed", "ModelNotFound")
            machine.pods.failing = False
            await machine.awake()
            assert machine.reason() == "Ready"

    run(life())


def test_a_request_that_comes_while_the_workers_are_asked_keeps_the_worker(tmp_path: Path) -> None:
    """The line of demand is a tenth of a second late; the gateway itself is asked before the worker goes."""

    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            machine.gateway.finish()

            def comes() -> None:
                machine.service.waiting = 1  # and nobody has told of it yet

            machine.on_asked = comes
            await asyncio.sleep(11)
            assert machine.service.waiting, "its counters were asked"
            assert machine.pods.made == 1
            assert machine.pods.alive()

    run(life())


def test_a_gateway_that_has_told_nothing_yet_keeps_an_adopted_worker_awake(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling()))
        async with machine:
            await machine.awake()
        await asyncio.sleep(1000)

        async def silence() -> object:
            await asyncio.sleep(500)
            yield b""

        machine.settings["demand"] = silence
        await machine.begin()
        await asyncio.sleep(400)
        assert machine.pods.alive()
        await machine.end()

    run(life())


def test_a_restart_forgets_no_status_and_takes_over_the_workers_as_they_are(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling(idleTimeoutSeconds=1000)))
        async with machine:
            await machine.awake()
            before = machine.supervisor.shown()[0].service
        machine.told.clear()
        await machine.begin()
        assert machine.supervisor.shown()[0].service == before
        machine.gateway.arrive()
        await asyncio.sleep(0)
        assert machine.pods.made == 1, "the adopted worker serves"
        await asyncio.sleep(3)
        assert machine.status["coldStarts"]["count"] == 1
        assert machine.status["scaling"] == before["status"]["scaling"]
        await machine.end()

    run(life())


def test_an_unchanged_status_is_not_written_again(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling(idleTimeoutSeconds=100_000)))
        file = tmp_path / "state/services/default/tide.json"
        async with machine:
            await machine.awake()
            machine.gateway.finish()
            await asyncio.sleep(20)
            written = _written(file)
            machine.told.clear()
            for _ in range(50):
                machine.supervisor.changed(KEY)
                await asyncio.sleep(2)
            assert _written(file) == written
            assert not machine.told
        await machine.begin()
        await asyncio.sleep(20)
        assert _written(file) == written, "nor after a restart"
        await machine.end()

    run(life())


def test_more_requests_than_one_worker_serves_well_start_more_and_surplus_goes_again(tmp_path: Path) -> None:
    async def life() -> None:
        spec = scaling(maxReplicas=3, metric={"type": "RequestCount", "requestCount": {"perReplica": 2}})
        async with Machine(tmp_path, document(**spec)) as machine:
            for _ in range(10):
                machine.gateway.arrive()
            await asyncio.sleep(120)
            assert machine.status["ready"] == "3/3"
            machine.gateway.finish()
            machine.gateway.arrive()
            await asyncio.sleep(60)
            assert machine.status["ready"] == "1/1"
            assert machine.status["phase"] == "Running"
            machine.gateway.finish()
            await asyncio.sleep(60)
            assert machine.status["phase"] == "Idle"

    run(life())


def test_of_a_surplus_the_least_busy_worker_goes(tmp_path: Path) -> None:
    async def life() -> None:
        spec = scaling(maxReplicas=2, metric={"type": "RequestCount", "requestCount": {"perReplica": 2}})
        async with Machine(tmp_path, document(**spec)) as machine:
            for _ in range(4):
                machine.gateway.arrive()
            await asyncio.sleep(120)
            first, _ = machine.pods.alive()
            machine.service.running = {first.uid: 1}
            machine.service.touched()
            await asyncio.sleep(60)
            assert first in machine.pods.alive(), "by age and name alone it would have gone"

    run(life())


def test_suspend_ends_the_worker_and_its_end_wakes_again(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            machine.write(document(**scaling(), suspend=True))
            await asyncio.sleep(5)
            assert machine.status["phase"] == "Suspended" or machine.pods.pods
            machine.gateway.finish()
            await asyncio.sleep(5)
            assert (machine.status["phase"], machine.pods.pods) == ("Suspended", {})
            machine.write(document(**scaling()))
            await asyncio.sleep(5)
            assert machine.status["phase"] == "Idle"
            await machine.awake()

    run(life())


def test_a_number_that_others_set_is_the_one_in_the_manifest(tmp_path: Path) -> None:
    async def life() -> None:
        def external(replicas: int) -> dict[str, object]:
            return document(scaling={"mode": "External"}, replicas=replicas)

        async with Machine(tmp_path, external(2)) as machine:
            await asyncio.sleep(10)
            assert machine.status["ready"] == "2/2"
            machine.write(external(1))
            await asyncio.sleep(10)
            assert machine.status["ready"] == "1/1"
            machine.write(external(0))
            await asyncio.sleep(10)
            machine.gateway.arrive()
            await asyncio.sleep(10)
            assert not machine.pods.pods, "a request is held until somebody raises the number"

    run(life())


def test_a_service_whose_file_is_gone_is_gone_for_clients_first_and_its_worker_finishes(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            machine.file.unlink()
            await asyncio.sleep(6)
            assert not machine.gateway.services
            shown = machine.supervisor.shown()[0].service
            assert shown["metadata"]["deletionTimestamp"]
            await asyncio.sleep(400)
            assert not machine.supervisor.shown()
            assert machine.told[-1][1] == {}
            assert not list((tmp_path / "state/services").glob("*/*"))

    run(life())


def test_a_service_that_comes_back_is_a_new_one(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            before = machine.supervisor.shown()[0].service["metadata"]["uid"]
            machine.write()
            await asyncio.sleep(7)
            machine.write(document(**scaling()))
            await asyncio.sleep(1.5)
            assert machine.supervisor.shown()[0].service["metadata"]["uid"] != before
            assert "coldStarts" not in machine.status
            await machine.awake()

    run(life())


def test_what_a_predecessor_left_of_services_without_a_manifest_is_ended(tmp_path: Path) -> None:
    async def life() -> None:
        machine = Machine(tmp_path, document(**scaling()), document("other", **scaling()))
        async with machine:
            machine.gateway.arrive(ServiceKey("default", "other"))
            await machine.awake()
            assert len(machine.pods.pods) == 2
        machine.write(document(**scaling()))
        await machine.begin()
        await asyncio.sleep(5)
        assert [pod.key for pod in machine.pods.pods.values()] == [KEY]
        await machine.end()

    run(life())


def test_a_field_that_cannot_be_obeyed_is_named_and_is_looked_at_again(tmp_path: Path) -> None:
    async def life() -> None:
        broken = document(**scaling(), engine={"args": ["--missing"]})
        async with Machine(tmp_path, broken) as machine:
            await asyncio.sleep(1)
            assert (machine.status["phase"], machine.reason()) == ("Failed", "InvalidSpec")
            machine.gateway.arrive()
            await asyncio.sleep(1)
            assert "--missing is not there" in machine.service.refusal
            machine.write(document(**scaling()))
            await asyncio.sleep(10)
            assert machine.status["phase"] == "Running"

    run(life())


def test_what_was_missing_and_is_there_now_is_found_without_a_change_of_the_file(tmp_path: Path) -> None:
    async def life() -> None:
        missing = [True]

        def made(service: InferenceService, secrets: Mapping[str, Mapping[str, str]]) -> WorkerTemplate:
            if missing:
                raise ValueError("no vLLM was found: install it")
            return build(service, secrets)

        async with Machine(tmp_path, document(**scaling()), build=made) as machine:
            await asyncio.sleep(1)
            assert machine.reason() == "InvalidSpec"
            missing.clear()
            await asyncio.sleep(6)
            assert machine.reason() == "Idle"
            missing.append(True)
            await machine.awake()

    run(life())


def test_workers_of_a_spec_that_became_broken_go_on_and_sleep_when_nobody_needs_them(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling())) as machine:
            await machine.awake()
            machine.write(document(**scaling(), engine={"args": ["--missing"]}))
            await asyncio.sleep(5)
            assert machine.reason() == "InvalidSpec"
            assert machine.pods.alive()
            machine.gateway.finish()
            await asyncio.sleep(20)
            assert not machine.pods.pods

    run(life())


def test_a_schedule_keeps_workers_without_any_request(tmp_path: Path) -> None:
    async def life() -> None:
        every_hour = {"cron": "0 * * * *", "forSeconds": 600, "minReplicas": 1}
        async with Machine(tmp_path, document(**scaling(schedules=[every_hour]))) as machine:
            await asyncio.sleep(2 * 3600)  # the clock begins at 22:13:20
            kept = [after["status"] for _, after in machine.told if after.get("status")]
            assert {each["scaling"]["reason"] for each in kept if "scaling" in each} >= {"Schedule", "Idle"}

    run(life())


def test_a_worker_without_cores_waits_and_says_so(tmp_path: Path) -> None:
    async def life() -> None:
        async with Machine(tmp_path, document(**scaling()), cores=0) as machine:
            machine.gateway.arrive()
            await asyncio.sleep(2)
            assert (machine.status["phase"], machine.reason()) == ("Starting", "Unschedulable")
            assert machine.reason("Scheduled") == "Unschedulable"
            machine.pods.cores = 1
            machine.pods._place()
            await asyncio.sleep(6)
            assert machine.status["phase"] == "Running"

    run(life())


def _written(file: Path) -> tuple[int, int]:
    """Another value after each write."""
    stat = file.stat()
    return stat.st_ino, stat.st_mtime_ns
