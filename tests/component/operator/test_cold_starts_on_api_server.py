"""status.coldStarts and the Event ColdStart, before a real API server; all others are played."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.component.kube.objects import MANAGER
from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, ready_status, running_operator
from tidegate.domain.timestamps import from_timestamp, to_timestamp
from tidegate.kube import paths
from tidegate.kube.client import Json

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]

POINTS = {"created": 0.05, "scheduled": 0.06, "started": 1.76, "loaded": 12.16, "first_byte": 12.36}
PULLED = 'Successfully pulled image "worker:cpu" in 400ms (600ms including waiting). Image size: 5 bytes.'


async def cold_starts(world: World, name: str) -> Json:
    """What the status says of them, empty before the first."""
    found: Json = (await world.get(name)).get("status", {}).get("coldStarts", {})
    return found


def has_parts(world: World, name: str, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many starts are counted and the last one's parts are known."""

    async def reached() -> bool:
        found = await cold_starts(world, name)
        return found.get("count") == count and "parts" in found

    return reached


async def notes(world: World, name: str) -> list[str]:
    """The notes of the service's Events ColdStart."""
    found, _ = await world.kube.list_all(paths.events(world.namespace))
    ours = [each for each in found if (each["regarding"].get("name"), each["reason"]) == (name, "ColdStart")]
    return [str(each["note"]) for each in ours]


async def pulled(world: World, pod: str, note: str = PULLED) -> None:
    """What a kubelet tells of an image; of another pod too, which is nobody's business here."""
    uid = (await world.kube.get(paths.pod(world.namespace, pod)))["metadata"]["uid"]
    for number, regarding in enumerate((uid, "another")):
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{pod}.{number}", "namespace": world.namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": world.namespace,
                "name": pod,
                "uid": regarding,
            },
            "reason": "Pulled",
            "message": note,
            "type": "Normal",
            "firstTimestamp": to_timestamp(time.time()),
            "lastTimestamp": to_timestamp(time.time()),
            "source": {"component": "kubelet"},
        }
        path = f"/api/v1/namespaces/{world.namespace}/events"
        await world.kube.create(path, event, field_manager=MANAGER)


async def woken(world: World, stage: Stage, name: str, pod: str) -> None:
    """A gateway has woken the service, and its worker exists."""
    stage.gateway.tell(f"{world.namespace}/{name}", waiting=1, starting=True)
    await world.scale(name, 1)
    await world.phase(name, "Starting")
    await world.pod(name, pod, {"phase": "Pending"})


def record(pod: str, woken_at: float) -> Json:
    """What the gateway tells when it is over."""
    return {"worker": pod, "at": round(woken_at + POINTS["loaded"], 3), "points": POINTS}


async def test_a_start_that_a_gateway_watched_is_told_once_with_all_of_its_parts(
    world: World, stage: Stage, tmp_path: Path
) -> None:
    stage.worker.start = {"loadsAfterSeconds": 6.2, "servesAfterSeconds": 11.0}
    await world.idle("told")
    now = time.time()
    await woken(world, stage, "told", "told-1")
    await pulled(world, "told-1")
    await world.pod("told", "told-1", ready_status(now + 13))
    await world.phase("told", "Running")
    await stage.operator.settled(1.0)
    counted = await cold_starts(world, "told")
    assert (counted["count"], "parts" in counted) == (1, False), "the gateway has not told yet"
    assert await notes(world, "told") == []
    service = f"{world.namespace}/told"
    stage.gateway.tell(service, inFlight=1, coldStarts=[record("told-1", now)])
    await eventually(has_parts(world, "told", 1), "its parts are known")
    found = await cold_starts(world, "told")
    assert found["parts"] == {
        "api": "0.05",
        "scheduling": "0.01",
        "image": "0.60",
        "container": "0.50",
        "engine": "6.20",
        "load": "4.80",
        "firstByte": "0.20",
    }
    assert (found["lastSeconds"], found["lastWorker"]) == ("12.36", "told-1")

    async def announced() -> bool:
        return await notes(world, "told") == [
            "12.36 s: API 0.05, scheduling 0.01, image 0.6, container 0.5, engine 6.2, load 4.8, "
            "first byte 0.2"
        ]

    await eventually(announced, "one Event has them")
    lines = (await stage.operator.metrics()).splitlines()
    labels = f'{{namespace="{world.namespace}",part="engine",service="told"}}'
    assert f"tidegate_last_cold_start_seconds{labels} 6.2" in lines

    async def all_is_told() -> bool:
        """What comes some five seconds after Ready, by writes of its own: the queue's depth, the cores."""
        status = (await world.get("told"))["status"]
        reasons = {each["type"]: each["reason"] for each in status["conditions"]}
        depth_told = str(status["queue"]["summary"]).startswith("1/")
        return depth_told and reasons["CPUIsolated"] != "NoEvidence"

    await eventually(all_is_told, "the queue's depth and the worker's cores are written")
    await stage.operator.settled(1.0)
    before = len(stage.operator.writes)
    stage.gateway.tell(service, inFlight=1, coldStarts=[record("told-1", now)])
    await stage.operator.settled(1.0)
    about = [write for write in stage.operator.writes[before:] if "told" in str(write)]
    assert about == [], "told again it is no news"
    async with running_operator(
        stage.operator.proxy, tmp_path, gateway_admin_port=stage.gateway.port, namespace="elsewhere"
    ) as second:
        await second.settled()
    assert await cold_starts(world, "told") == found
    assert len(await notes(world, "told")) == 1


async def test_a_start_that_no_gateway_asked_for_is_told_by_its_pod(world: World, stage: Stage) -> None:
    stage.worker.start = {}
    await world.create("kept", scaling={"minReplicas": 1})
    await world.phase("kept", "Starting")
    await world.pod("kept", "kept-1", {"phase": "Pending"})
    pod = await world.kube.get(paths.pod(world.namespace, "kept-1"))
    created = from_timestamp(pod["metadata"]["creationTimestamp"])
    assert created
    await pulled(world, "kept-1", 'Container image "worker:cpu" already present on machine')
    status = ready_status(created + 30)
    status["containerStatuses"][0]["state"] = {"running": {"startedAt": to_timestamp(created + 10)}}
    status["conditions"][0]["lastTransitionTime"] = to_timestamp(created + 2)
    await world.pod("kept", "kept-1", status)
    await eventually(has_parts(world, "kept", 1), "its parts are known")
    parts = (await cold_starts(world, "kept"))["parts"]
    assert list(parts) == [
        "container",
        "engineAndLoad",
        "image",
        "scheduling",
    ]  # as the API server sorts them
    assert (parts["container"], parts["engineAndLoad"], parts["image"]) == ("8.00", "20.00", "0.00")
    await eventually(lambda: _has_one(world, "kept"), "one Event tells it")


async def _has_one(world: World, name: str) -> bool:
    return len(await notes(world, name)) == 1


async def test_an_older_gateway_that_tells_nothing_of_starts_is_not_waited_for(
    world: World, stage: Stage
) -> None:
    stage.worker.start = {"loadsAfterSeconds": 1.0, "servesAfterSeconds": 2.0}
    await world.idle("older")
    stage.gateway.tell(f"{world.namespace}/older", waiting=1)
    await world.scale("older", 1)
    await world.pod("older", "older-1", {"phase": "Pending"})
    await pulled(world, "older-1")
    await world.pod("older", "older-1", ready_status(time.time() + 5))
    await eventually(has_parts(world, "older", 1), "its parts are known")
    assert "firstByte" not in (await cold_starts(world, "older"))["parts"]


async def test_starts_that_went_by_without_an_operator_are_counted_by_what_the_gateway_remembers(
    world: World, stage: Stage
) -> None:
    await world.idle("missed")
    now = time.time()
    of_another = record("before-it-was-made", now - 1000)
    records = [of_another, *(record(f"missed-{number}", now + 13 * number) for number in range(4))]
    stage.gateway.tell(f"{world.namespace}/missed", coldStarts=records)
    await eventually(has_parts(world, "missed", 4), "four are counted")
    found = await cold_starts(world, "missed")
    assert found["lastWorker"] == "missed-3"
    assert found["parts"]["imageAndContainer"] == "1.70", "whoever could tell them apart is gone"
