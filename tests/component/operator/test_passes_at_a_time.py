"""Passes before a real API server at times that the test sets: no operator runs, nobody else acts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from tests.component.operator.harness import World as Cluster
from tests.component.operator.harness import ready_status, rejected_status
from tidegate.control.autoscale import Autoscaler
from tidegate.control.counters import CounterWatch
from tidegate.controller.contests import Contests
from tidegate.controller.metrics import OperatorMetrics
from tidegate.controller.objects import ObjectWriter
from tidegate.controller.reconcile import PassResult, Reconciler, ReconcileSettings
from tidegate.controller.resync import Resync, ResyncSettings
from tidegate.controller.world import World
from tidegate.domain.service import ServiceKey
from tidegate.domain.timestamps import from_timestamp, to_timestamp
from tidegate.kube import paths
from tidegate.kube.errors import ConflictError
from tidegate.resources.deployment import WorkerImages
from tidegate.resources.names import SERVICE_LABEL

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = WorkerImages(cpu="worker:cpu", cuda="worker:cuda")


class Clockwork:
    """One service's passes, each at a moment of the test's choice."""

    def __init__(self, cluster: Cluster, name: str, http: httpx.AsyncClient) -> None:
        self.now = 0.0
        self.world = World(128)
        self.world.board.expect(())
        self.key = ServiceKey(cluster.namespace, name)
        self._resync = Resync(cluster.kube, self.world, lambda _: None, ResyncSettings(60.0, lambda a, _: a))
        self._writer = ObjectWriter(
            cluster.kube, self.world.cache, OperatorMetrics(), Contests(lambda: self.now)
        )
        self._settings = ReconcileSettings(IMAGES, "gateway", lambda: self.now)
        self._http = http
        self.restart()

    def restart(self) -> None:
        """Whatever was remembered is forgotten."""
        autoscaler = Autoscaler(CounterWatch(self._http))
        self._reconciler = Reconciler(self.world, self._writer, autoscaler, self._settings)

    def tells(self, **numbers: int) -> None:
        """What the one gateway says."""
        line = {"service": str(self.key), "waiting": 0, "inFlight": 0, "idleSeconds": 0.0, **numbers}
        self.world.board.connected("gateway")
        self.world.board.told("gateway", line, self.now)

    async def at(self, moment: float) -> PassResult:
        """Sees the cluster as it is now, and makes one pass as if it were ``moment``."""
        await self.look()
        return await self.blindly(moment)

    async def look(self) -> None:
        """Sees the cluster as it is now."""
        await self._resync.once()

    async def blindly(self, moment: float) -> PassResult:
        """One pass on what was seen last."""
        self.now = moment
        return await self._reconciler.reconcile(self.key)


@asynccontextmanager
async def clockwork(cluster: Cluster, name: str) -> AsyncIterator[Clockwork]:
    async with httpx.AsyncClient(timeout=60) as http:
        yield Clockwork(cluster, name, http)


def unix(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def test_a_schedule_wakes_at_its_minute_and_lets_sleep_at_its_end(world: Cluster) -> None:
    office = {"cron": "0 9 * * 1-5", "timeZone": "Asia/Ho_Chi_Minh", "forSeconds": 28800, "minReplicas": 2}
    await world.create("office", scaling={"maxReplicas": 3, "schedules": [office]})
    opens, closes = unix("2026-11-23T02:00:00"), unix("2026-11-23T10:00:00")
    async with clockwork(world, "office") as passes:
        early = await passes.at(opens - 10)
        assert (await world.replicas("office"), early.recheck_after) == (0, 10.0)
        passes.restart()
        assert (await passes.at(opens - 0.5)).recheck_after == 0.5
        begun = await passes.at(opens)
        assert await world.replicas("office") == 2
        assert begun.recheck_after == 3600.0, "its end is eight hours away"
        scaling = (await world.get("office"))["status"]["scaling"]
        assert scaling == {
            "desired": 2,
            "previous": 0,
            "reason": "Schedule",
            "message": "a schedule keeps 2 workers now (scaling.schedules)",
            "since": "2026-11-23T02:00:00Z",
            "waiting": 0,
            "inFlight": 0,
            "needed": 0,
            "ready": 0,
            "starting": 0,
        }
        for number in range(2):
            await world.pod("office", f"office-{number}", ready_status(opens + 60))
        late = await passes.at(closes - 10)
        assert (await world.replicas("office"), late.recheck_after) == (2, 10.0)
        passes.restart()
        await passes.at(closes)
        assert await world.replicas("office") == 0


async def test_surplus_goes_when_its_delay_is_over_and_not_before(world: Cluster) -> None:
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 10}}
    await world.create("tall", scaling={"maxReplicas": 6, "scaleDownDelaySeconds": 60, "metric": metric})
    async with clockwork(world, "tall") as passes:
        await passes.at(1000.0)
        await world.scale("tall", 1)
        passes.tells(inFlight=55)
        await passes.at(1001.0)
        assert await world.replicas("tall") == 6, "in one step"
        for number in range(6):
            await world.pod("tall", f"tall-{number}", ready_status(1010.0))
        await passes.at(1011.0)
        passes.tells(inFlight=15)
        assert (await passes.at(1020.0)).recheck_after == 50.0, "the newest is ready since 1010"
        assert (await passes.at(1071.0)).recheck_after == 9.0, "six were needed until 1020"
        assert await world.replicas("tall") == 6
        await passes.at(1080.0)
        assert await world.replicas("tall") == 2, "in one step"


async def test_after_a_restart_surplus_waits_for_the_whole_delay_again(world: Cluster) -> None:
    metric = {"type": "RequestCount", "requestCount": {"perReplica": 10}}
    await world.create("again", scaling={"maxReplicas": 6, "scaleDownDelaySeconds": 60, "metric": metric})
    async with clockwork(world, "again") as passes:
        await passes.at(1000.0)
        await world.scale("again", 4)
        for number in range(4):
            await world.pod("again", f"again-{number}", ready_status(100.0))
        passes.tells(inFlight=5)
        await passes.at(1000.0)
        passes.restart()
        assert (await passes.at(1059.0)).recheck_after == 60.0
        assert await world.replicas("again") == 4
        await passes.at(1119.0)
        assert await world.replicas("again") == 1


async def test_flaps_put_sleep_off_and_who_takes_over_goes_on_where_they_were(world: Cluster) -> None:
    """A request every 200 s, starts of 40 s: three sleeps of 20 s, then none, then a long one."""
    await world.create("nap", scaling={"idleTimeoutSeconds": 180, "maxIdleTimeoutSeconds": 600})
    started = {"count": 1, "lastSeconds": "40", "lastWorker": "nap-1", "recentSeconds": ["40"]}
    async with clockwork(world, "nap") as passes:

        async def request(moment: float) -> None:
            await world.scale("nap", 1)
            passes.now = moment
            passes.tells(waiting=1)
            await passes.at(moment)
            passes.tells()
            passes.restart()

        async def sleeps(moment: float) -> bool:
            await passes.at(moment)
            return await world.replicas("nap") == 0

        now = 4_000_000_000.0
        await passes.at(now - 1000)
        await world.pod("nap", "nap-1", ready_status(now))
        path = paths.inference_service_status(world.namespace, "nap")
        await world.kube.merge_patch(path, {"status": {"coldStarts": started}}, field_manager="test")
        for flaps in range(3):
            await request(now)
            told = (await world.get("nap"))["status"]["scaling"]
            assert told.get("flapping") == ({"wakes": flaps, "idleTimeoutSeconds": 180} if flaps else None)
            assert await sleeps(now + 180)
            now += 200
        await request(now)
        assert (await world.condition("nap", "IdleTimeoutExtended"))["reason"] == "Flapping"
        assert not await sleeps(now + 219)
        assert await sleeps(now + 220)
        assert (await world.get("nap"))["status"]["scaling"]["flapping"]["idleTimeoutSeconds"] == 220
        await request(now + 1000)
        found = (await world.get("nap"))["status"]
        assert "flapping" not in found["scaling"]
        assert "IdleTimeoutExtended" not in {each["type"] for each in found["conditions"]}


async def test_surplus_that_somebody_changes_meanwhile_is_not_taken_away(world: Cluster) -> None:
    await world.create("raced", scaling={"maxReplicas": 6, "scaleDownDelaySeconds": 0})
    async with clockwork(world, "raced") as passes:
        await passes.at(1000.0)
        await world.scale("raced", 2)
        for number in range(2):
            await world.pod("raced", f"raced-{number}", ready_status(100.0))
        passes.tells(inFlight=1)
        await passes.look()
        await world.scale("raced", 5)
        with pytest.raises(ConflictError):
            await passes.blindly(1001.0)
        assert await world.replicas("raced") == 5


async def test_workers_that_nobody_needs_stop_also_while_a_foreign_object_is_in_the_way(
    world: Cluster,
) -> None:
    await world.create("walled", scaling={"maxReplicas": 6, "scaleDownDelaySeconds": 0})
    async with clockwork(world, "walled") as passes:
        await passes.at(1000.0)
        await world.scale("walled", 3)
        for number in range(3):
            await world.pod("walled", f"walled-{number}", ready_status(100.0))
        passes.tells(inFlight=1)
        await _replaced_by_a_foreign_service(world, "walled")
        assert (await passes.at(1001.0)).result == "conflict"
        assert await world.replicas("walled") == 1


async def test_a_foreign_deployment_is_never_scaled(world: Cluster) -> None:
    await world.create("theirs", suspend=True)
    async with clockwork(world, "theirs") as passes:
        await passes.at(1000.0)
        await world.scale("theirs", 3)
        orphaned = {"metadata": {"ownerReferences": None}}
        path = paths.deployment(world.namespace, "theirs-worker")
        await world.kube.merge_patch(path, orphaned, field_manager="them")
        assert (await passes.at(1001.0)).result == "conflict"
        assert await world.replicas("theirs") == 3


async def _replaced_by_a_foreign_service(world: Cluster, name: str) -> None:
    labels = {SERVICE_LABEL: name}
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"type": "ExternalName", "externalName": "example.com"},
    }
    await world.kube.delete(paths.service(world.namespace, name))
    await world.kube.create(paths.services(world.namespace), body, field_manager="them")


async def test_a_pass_over_what_did_not_change_writes_nothing_also_with_schedule_and_price(
    world: Cluster,
) -> None:
    office = {"cron": "0 9 * * *", "forSeconds": 28800, "minReplicas": 1}
    await world.create(
        "still", scaling={"schedules": [office]}, pricing={"perReplicaHour": "0.40", "currency": "USD"}
    )
    async with clockwork(world, "still") as passes:
        begin = unix("2026-11-23T10:00:00")
        await passes.at(begin)
        await world.pod("still", "still-1", ready_status(begin))
        await passes.at(begin + 1)
        before = await world.get("still"), await world.deployment("still")
        for moment in (60, 3600, 7200):
            passes.restart()
            await passes.at(begin + moment)
        after = await world.get("still"), await world.deployment("still")
        versions = [[each["metadata"]["resourceVersion"] for each in both] for both in (before, after)]
        assert versions[0] == versions[1]
        assert before[0]["status"]["cost"] == {"perHour": "0.40", "currency": "USD"}


async def test_a_pause_survives_the_operator_and_costs_a_new_one_no_write(world: Cluster) -> None:
    """Thirty seconds after a rejection, which may be over before a second operator runs at all."""
    await world.create("kept")
    async with clockwork(world, "kept") as passes:
        await passes.at(1000.0)
        await world.scale("kept", 1)
        for number in range(2):
            await world.pod("kept", f"kept-{number}", rejected_status())
        pod = await world.kube.get(paths.pod(world.namespace, "kept-1"))
        rejected = from_timestamp(pod["metadata"]["creationTimestamp"])
        assert rejected
        await passes.at(rejected + 5)
        assert await world.replicas("kept") == 0
        assert (await passes.at(rejected + 6)).result == "ok"
        before = await world.get("kept"), await world.deployment("kept")
        assert before[0]["status"]["scaling"]["backoffUntil"] == to_timestamp(rejected + 30)
        passes.restart()
        await passes.at(rejected + 15)
        assert (await world.get("kept"), await world.deployment("kept")) == before
