"""How many workers there are, decided by a running operator before a real API server."""

from __future__ import annotations

import time

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, ready_status
from tidegate.kube import paths

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]


async def _replicas(world: World, name: str, count: int) -> bool:
    return await world.replicas(name) == count


async def _decided(world: World, name: str, desired: int, reason: str) -> None:
    async def told() -> bool:
        found = (await world.get(name))["status"]["scaling"]
        return bool((found["desired"], found["reason"]) == (desired, reason))

    await eventually(told, f"status.scaling says {desired}, {reason}")


def _scale_writes(stage: Stage, world: World, name: str) -> int:
    path = paths.deployment_scale(world.namespace, f"{name}-worker")
    return sum(1 for write in stage.operator.writes if write.path == path)


async def test_a_queue_delay_raises_to_what_it_needs_in_one_write(world: World, stage: Stage) -> None:
    metric = {"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 5000}}
    await world.idle("late", engine={"maxConcurrency": 10}, scaling={"maxReplicas": 8, "metric": metric})
    await world.scale("late", 1)
    stage.gateway.tell(f"{world.namespace}/late", waiting=30, inFlight=10, executionSeconds=1.0)
    await stage.operator.settled(1.0)
    assert await world.replicas("late") == 1, "30 of 1 s each are through in 3 s"
    stage.gateway.tell(f"{world.namespace}/late", waiting=30, inFlight=10, executionSeconds=5.0)
    await eventually(lambda: _replicas(world, "late", 3), "15 s with one, 5 s with three")
    await _decided(world, "late", 3, "Demand")
    assert _scale_writes(stage, world, "late") == 1


async def test_a_request_count_raises_to_what_it_needs(world: World, stage: Stage) -> None:
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 100}}
    await world.idle("many", scaling={"maxReplicas": 8, "metric": metric})
    await world.scale("many", 1)
    stage.gateway.tell(f"{world.namespace}/many", waiting=201, inFlight=0)
    await eventually(lambda: _replicas(world, "many", 3), "one for each hundred")


async def test_surplus_goes_after_its_delay_in_one_write_and_leaves_what_is_needed(
    world: World, stage: Stage
) -> None:
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 10}}
    scaling = {"maxReplicas": 6, "scaleDownDelaySeconds": 3, "metric": metric}
    await world.idle("tall", scaling=scaling)
    stage.gateway.tell(f"{world.namespace}/tall", inFlight=55)
    await world.scale("tall", 1)
    await eventually(lambda: _replicas(world, "tall", 6), "six are needed")
    for number in range(6):
        await world.pod("tall", f"tall-{number}", ready_status(time.time() - 60))
    await world.phase("tall", "Running")
    begun = time.monotonic()
    stage.gateway.tell(f"{world.namespace}/tall", inFlight=15)
    await eventually(lambda: _replicas(world, "tall", 2), "two are enough")
    assert time.monotonic() - begun > 2.5, "not before the delay was over"
    await _decided(world, "tall", 2, "Surplus")
    assert _scale_writes(stage, world, "tall") == 2, "one up, one down"


async def test_within_a_schedule_its_workers_are_started_and_after_its_end_they_sleep(world: World) -> None:
    window = {"cron": "* * * * *", "forSeconds": 3600, "minReplicas": 1}
    await world.create("open", scaling={"idleTimeoutSeconds": 0, "schedules": [window]})
    await world.phase("open", "Starting")
    await world.pod("open", "open-1", ready_status(time.time() - 60))
    await world.phase("open", "Running")
    assert await world.replicas("open") == 1
    await world.change("open", scaling={"schedules": []})
    await eventually(lambda: _replicas(world, "open", 0), "nothing keeps it awake")


async def test_a_schedule_that_no_schema_can_refuse_is_named(world: World) -> None:
    office = {"cron": "0 9 * * *", "timeZone": "Mars/Base", "forSeconds": 60, "minReplicas": 1}
    never = {"cron": "0 0 31 FEB *", "forSeconds": 60, "minReplicas": 1}
    await world.create("martian", scaling={"schedules": [office, never]})
    await world.phase("martian", "Failed")
    ready = await world.condition("martian")
    assert ready["reason"] == "InvalidSpec"
    assert "spec.scaling.schedules[0].timeZone: 'Mars/Base' is not a time zone" in ready["message"]
    assert "spec.scaling.schedules[1].cron: '0 0 31 FEB *' never happens" in ready["message"]
    await world.change("martian", scaling={"schedules": [office | {"timeZone": "UTC"}]})
    await world.phase("martian", "Idle")


async def test_external_is_followed_up_and_down_whatever_the_load_and_suspend_wins(
    world: World, stage: Stage
) -> None:
    window = {"cron": "* * * * *", "forSeconds": 3600, "minReplicas": 1}
    scaling = {"mode": "External", "maxReplicas": 1, "idleTimeoutSeconds": 0, "schedules": [window]}
    await world.create("hpa", scaling=scaling, replicas=0)
    await world.phase("hpa", "Idle")
    stage.gateway.tell(f"{world.namespace}/hpa", waiting=100)
    scale = paths.inference_service_scale(world.namespace, "hpa")
    for count in (5, 2):
        await world.kube.merge_patch(scale, {"spec": {"replicas": count}}, field_manager="kubectl-scale")
        await eventually(lambda: _replicas(world, "hpa", count), f"{count} are wanted")  # noqa: B023
    await world.change("hpa", suspend=True)
    await eventually(lambda: _replicas(world, "hpa", 0), "suspend wins")
    await world.change("hpa", suspend=False)
    await eventually(lambda: _replicas(world, "hpa", 2), "and is over")
    stage.gateway.tell(f"{world.namespace}/hpa")
    await stage.operator.settled(1.0)
    assert await world.replicas("hpa") == 2, "idle is not the operator's to judge"


async def test_the_cost_is_that_of_the_workers_that_exist(world: World, stage: Stage) -> None:
    await world.idle("dear", pricing={"perReplicaHour": "0.40", "currency": "USD"})
    assert (await world.get("dear"))["status"]["cost"] == {"perHour": "0.00", "currency": "USD"}
    await world.scale("dear", 1)
    await world.pod("dear", "dear-1", {"phase": "Pending"})
    series = f'tidegate_cost_per_hour{{currency="USD",namespace="{world.namespace}",service="dear"}}'

    async def costs(amount: str) -> bool:
        found = (await world.get("dear"))["status"]["cost"]["perHour"]
        return bool(found == amount and f"{series} {float(amount)}" in await stage.operator.metrics())

    await eventually(lambda: costs("0.40"), "one that starts is paid for")
    await world.delete_pod("dear-1")
    await eventually(lambda: costs("0.00"), "one that is gone is not")
    await world.change("dear", pricing=None)

    async def untold() -> bool:
        told = "cost" in (await world.get("dear"))["status"]
        return not told and series not in await stage.operator.metrics()

    await eventually(untold, "without a price nothing is told")
