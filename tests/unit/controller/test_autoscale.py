"""Deciding with the workers' counters: what changes while they are asked counts."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.unit.domain.pods import container, pod
from tests.unit.resources.services import service
from tidegate.controller.autoscale import Autoscaler, Scene, pool_of
from tidegate.controller.counters import CounterWatch
from tidegate.domain.scaling import Bounds, Load, decide_scale
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
