"""Deciding with the workers' counters: what changes while they are asked counts."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx
import pytest

from tests.unit.domain.pods import container, pod
from tests.unit.resources.services import service
from tidegate.api.bounds import bounds_of, metric_of
from tidegate.control.autoscale import Autoscaler, Scene
from tidegate.control.counters import CounterWatch
from tidegate.domain.pools import pool_of
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Load, decide_scale
from tidegate.domain.scaling_metrics import PerReplica, Pooled, QueueDelay
from tidegate.domain.schedule import Minimum
from tidegate.domain.service import ServiceKey
from tidegate.domain.workers import WorkerFacts, worker_facts

WORKER = WorkerFacts("w-1", created=0.0, node="n", host="192.0.2.1", ready_since=0.0)
IDLE = "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\n"


@dataclass
class World:
    """A service that has been idle for long, whose worker says that it has nothing to do."""

    meanwhile: Callable[["World"], None] = lambda _: None  # happens while the worker is asked
    load: Load = field(default_factory=lambda: Load(last_activity=100.0))
    now: float = 1000.0
    gone: bool = False

    def look(self) -> Scene | None:
        deployment = {"spec": {"replicas": 1}}
        return None if self.gone else Scene(deployment, (WORKER,), self.load, None, self.now)

    def answer(self, _: httpx.Request) -> httpx.Response:
        self.meanwhile(self)
        return httpx.Response(200, text=IDLE)

    async def replicas(self) -> int | None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            decided = await Autoscaler(CounterWatch(client)).decide(service(), self.look)
        return None if decided is None else decided[1].replicas


async def test_a_service_that_stays_idle_while_its_worker_is_asked_sleeps() -> None:
    assert await World().replicas() == 0


async def test_a_request_that_arrives_while_the_worker_is_asked_keeps_it_awake() -> None:
    def arrives(world: World) -> None:
        world.load = Load(waiting=1, last_activity=1001.0)

    assert await World(arrives).replicas() == 1


async def test_a_request_that_came_and_went_while_the_worker_is_asked_keeps_it_awake() -> None:
    def passes_by(world: World) -> None:
        world.load, world.now = Load(last_activity=1001.0), 1002.0

    assert await World(passes_by).replicas() == 1


async def test_a_deployment_that_goes_while_the_worker_is_asked_is_not_scaled() -> None:
    def goes(world: World) -> None:
        world.gone = True

    assert await World(goes).replicas() is None


def reloading() -> WorkerFacts:
    """A worker that was killed after hours of work, and loads its model once more."""
    killed = {"terminated": {"reason": "OOMKilled"}}
    statuses = [container(restarts=1, state={"running": {}}, lastState=killed)]
    return worker_facts(pod({"phase": "Running", "containerStatuses": statuses}), 900.0)


def test_a_worker_that_loads_again_after_a_crash_is_not_put_to_sleep() -> None:
    pool = pool_of({"spec": {"replicas": 1}}, [reloading()], None)
    decision = decide_scale(Bounds(), pool, Load(), now=4_000_000_000.0)
    assert (decision.replicas, decision.reason) == (1, "Loading")


@dataclass
class BusyPool:
    """A service of up to eight workers, each for ten requests, with four that run and this much to do."""

    requests: int = 35
    now: float = 1000.0
    replicas: int = 4

    def look(self) -> Scene:
        workers = tuple(replace(WORKER, name=f"w-{number}") for number in range(self.replicas))
        return Scene(
            {"spec": {"replicas": self.replicas}}, workers, Load(in_flight=self.requests), None, self.now
        )


POOLED = {
    "engine": {"maxConcurrency": 10},
    "scaling": {
        "maxReplicas": 8,
        "scaleDownDelaySeconds": 60,
        "metric": {"type": "Concurrency", "concurrency": {"targetPerReplica": 10}},
    },
}


async def test_surplus_goes_when_fewer_were_enough_for_the_delay_and_one_look_was_less() -> None:
    pool = BusyPool()
    async with httpx.AsyncClient() as client:
        autoscaler = Autoscaler(CounterWatch(client))

        async def at(now: float, requests: int) -> tuple[int, float | None]:
            pool.now, pool.requests = now, requests
            decided = await autoscaler.decide(service(**POOLED), pool.look)
            assert decided is not None
            return decided[1].replicas, decided[1].recheck_after

        assert await at(1000, 35) == (4, None)
        assert await at(1010, 8) == (4, 60)
        assert await at(1030, 25) == (4, 40)
        assert await at(1040, 8) == (4, 30)
        assert await at(1070, 8) == (3, 30), "25 and a tenth needed three until 1040"
        pool.replicas = 3
        assert await at(1100, 8) == (1, None)


async def test_after_a_restart_the_delay_begins_anew() -> None:
    pool = BusyPool(requests=1)
    async with httpx.AsyncClient() as client:
        for now in (1000.0, 1050.0):
            pool.now = now
            decided = await Autoscaler(CounterWatch(client)).decide(service(**POOLED), pool.look)
            assert decided is not None
            assert (decided[1].replicas, decided[1].recheck_after) == (4, 60)


async def test_a_service_that_went_and_came_again_remembers_nothing() -> None:
    pool = BusyPool(requests=1)
    async with httpx.AsyncClient() as client:
        autoscaler = Autoscaler(CounterWatch(client))
        await autoscaler.decide(service(**POOLED), pool.look)
        autoscaler.forget(ServiceKey("team", "qwen"))
        pool.now += 100
        decided = await autoscaler.decide(service(**POOLED), pool.look)
    assert decided is not None
    assert decided[1].replicas == 4


async def test_what_was_needed_before_there_was_one_worker_says_nothing_about_many() -> None:
    pool, kept = BusyPool(requests=1), []
    async with httpx.AsyncClient() as client:
        autoscaler = Autoscaler(CounterWatch(client))
        for pool.now, pool.replicas in ((1000.0, 4), (1001.0, 1), (1100.0, 4)):
            decided = await autoscaler.decide(service(**POOLED), pool.look)
            assert decided is not None
            kept.append(decided[1].replicas)
    assert kept == [4, 1, 4]


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        (None, Pooled(32)),
        ({"type": "Concurrency"}, Pooled(32)),
        ({"type": "Concurrency", "concurrency": {"targetPerReplica": 7}}, PerReplica(7)),
        ({"type": "RequestCount", "requestCount": {"perReplica": 300}}, PerReplica(300)),
        ({"type": "QueueDelay", "queueDelay": {"targetMilliseconds": 2500}}, QueueDelay(2.5, 32)),
    ],
)
def test_the_metric_is_the_specs(metric: dict[str, object] | None, found: object) -> None:
    scaling = {} if metric is None else {"metric": metric}
    assert metric_of(service(scaling=scaling).spec) == found


def test_half_a_worker_is_one() -> None:
    metric = metric_of(service(engine={"maxConcurrency": 1}).spec)
    assert [metric.workers(Load(in_flight=count)) for count in range(4)] == [0, 1, 2, 3]


def test_the_delay_for_surplus_is_the_idle_timeout_unless_it_is_given() -> None:
    assert bounds_of(service(scaling={"idleTimeoutSeconds": 77}).spec, 0.0).scale_down_delay == 77
    given = service(scaling={"idleTimeoutSeconds": 77, "scaleDownDelaySeconds": 0})
    assert bounds_of(given.spec, 0.0).scale_down_delay == 0


def test_the_schedule_is_that_of_the_moment() -> None:
    nine = 1795140000.0  # Friday 2026-11-20 09:00 in Hanoi
    office = {"cron": "0 9 * * 1-5", "timeZone": "Asia/Ho_Chi_Minh", "forSeconds": 28800, "minReplicas": 1}
    spec = service(scaling={"schedules": [office]}).spec
    assert bounds_of(spec, nine - 1).scheduled == Minimum(0, nine)
    assert bounds_of(spec, nine).scheduled == Minimum(1, nine + 28800)
