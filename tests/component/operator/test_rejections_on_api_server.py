"""Workers that their kubelet rejects: ReplicaSet and kubelet are played, everything else is real."""

from __future__ import annotations

import pytest

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, rejected_status
from tidegate.domain.timestamps import from_timestamp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def rejected(world: World, name: str, count: int = 2) -> None:
    """A wake, and so many workers rejected."""
    await world.scale(name, 1)
    for number in range(count):
        await world.pod(name, f"{name}-{number}", rejected_status())


async def pause_of(world: World, name: str) -> float | None:
    """Until when nobody is started, Unix seconds."""
    status = (await world.get(name))["status"]
    return from_timestamp(status["scaling"].get("backoffUntil"))


async def held(world: World, name: str) -> None:
    """Returns when no worker is wanted and the status says until when."""

    async def reached() -> bool:
        return await world.replicas(name) == 0 and await pause_of(world, name) is not None

    await eventually(reached, f"{name} is held back")


async def test_the_second_rejection_ends_the_attempt_and_the_status_says_why_and_until_when(
    stage: Stage, world: World
) -> None:
    await world.idle("refused")
    await rejected(world, "refused")
    await held(world, "refused")
    ready = await world.condition("refused")
    assert (ready["status"], ready["reason"]) == ("False", "UnexpectedAdmissionError")
    assert "not enough cpus available" in ready["message"]
    assert (await world.get("refused"))["status"]["phase"] == "Failed"
    pods = [(await world.kube.get(f"/api/v1/namespaces/{world.namespace}/pods/refused-{n}")) for n in (0, 1)]
    last = max(from_timestamp(pod["metadata"]["creationTimestamp"]) or 0.0 for pod in pods)
    assert await pause_of(world, "refused") == last + 30
    writes = [
        f"{write.method} {write.path.rpartition('/')[2]}"
        for write in stage.operator.writes
        if world.namespace in write.path and not write.path.endswith("/events")
    ]
    assert writes[-2:] == ["PATCH status", "PUT scale"], (
        "a gateway knows of the pause before it sees no worker"
    )


async def test_a_wake_within_the_pause_is_taken_back(stage: Stage, world: World) -> None:
    await world.idle("early")
    await rejected(world, "early")
    await held(world, "early")
    await world.scale("early", 1)
    await eventually(lambda: asleep(world, "early"), "nobody is started within the pause")


async def asleep(world: World, name: str) -> bool:
    """Whether no worker is wanted."""
    return await world.replicas(name) == 0


async def test_one_rejection_is_left_to_the_replica_set(stage: Stage, world: World) -> None:
    await world.idle("once")
    await rejected(world, "once", count=1)
    await stage.operator.settled()
    assert await world.replicas("once") == 1
    assert await pause_of(world, "once") is None


async def test_a_changed_spec_may_be_tried_at_once(stage: Stage, world: World) -> None:
    await world.idle("changed")
    await rejected(world, "changed")
    await held(world, "changed")
    await world.change("changed", engine={"args": ["--enforce-eager"]})

    async def lifted() -> bool:
        return await pause_of(world, "changed") is None

    await eventually(lifted, "the pause is lifted")
    await world.scale("changed", 1)
    await stage.operator.settled()
    assert await world.replicas("changed") == 1


async def test_workers_that_are_always_wanted_are_held_back_too(stage: Stage, world: World) -> None:
    await world.create("always", scaling={"minReplicas": 1, "maxReplicas": 1})

    async def wanted() -> bool:
        return await world.replicas("always") == 1

    await eventually(lambda: exists(world, "always"), "the Deployment is there")
    await eventually(wanted, "one worker is wanted")
    for number in range(2):
        await world.pod("always", f"always-{number}", rejected_status("OutOfcpu"))
    await held(world, "always")
    assert (await world.condition("always"))["reason"] == "OutOfcpu"


async def exists(world: World, name: str) -> bool:
    """Whether the service has been reconciled."""
    return "status" in await world.get(name)
