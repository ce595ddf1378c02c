"""One service, its gateways, the operator and the API server, each with a view of its own that may be old.

What decides is the real code: the autoscaler's ``decide``, ``pool_of`` and the gateway's ``must_wake``. What
is played is what lies between them: the API server's two writes of the scale, the Deployment's controllers,
the kubelet, the watches and the line of demand, each of which does its next step only when it is asked to.

A state is a value. ``steps`` names every event that may happen next, so that a test can play one order of
events by name, or all of them. A watch that is behind catches up in one event: it may have done so after each
change, so nothing that anybody may have seen at any moment is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tidegate.domain.autoscaler import Memory, decide
from tidegate.domain.pools import pool_of
from tidegate.domain.scale_bounds import Bounds
from tidegate.domain.scaling import Counters, Load, ScaleDecision
from tidegate.domain.scaling_metrics import PerReplica
from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView, Worker
from tidegate.domain.worker_state import must_wake
from tidegate.domain.workers import WorkerFacts

IDLE_TIMEOUT = 10.0
A_WHILE = 100  # seconds that pass at once, far beyond the idle timeout
MOST_PODS = 2  # that still exist where a request comes: those before have ended by then
BOUNDS = Bounds(maximum=1, idle_timeout=IDLE_TIMEOUT, metric=PerReplica(10))
CONFIG = ServiceConfig(ServiceKey("team", "tide"), 0.0, ("tide",))


class Pod(NamedTuple):
    """A worker's pod; ``ending``: it is being deleted, takes nothing new and finishes what it runs."""

    uid: int
    ready_since: int | None = None
    ending: bool = False


Pods = tuple[Pod, ...]


class Deployment(NamedTuple):
    """How many workers it is told to have, at which version."""

    replicas: int = 0
    version: int = 1


class Demand(NamedTuple):
    """A gateway's line."""

    waiting: int = 0
    in_flight: int = 0
    last_active: int | None = None


class Gateway(NamedTuple):
    """``view``: the pods as it sees them, ``heard``: its line as the operator has it, None: it has none."""

    view: Pods = ()
    waiting: int = 0
    running: tuple[int, ...] = ()  # the uids of the pods that its requests run on
    refused: tuple[int, ...] = ()  # pods that turned a request away: no other goes there
    last_active: int | None = None
    woke: bool = False  # a wake of its own was accepted, and who waited for it waits still
    heard: Demand | None = Demand()

    @property
    def demand(self) -> Demand:
        """Its line now."""
        return Demand(self.waiting, len(self.running), self.last_active)


class Pass(NamedTuple):
    """How far a pass of the operator has come."""

    asking: tuple[int, ...] = ()  # the pods whose counters are being asked
    counters: Counters | None = None  # what they said
    replicas: int | None = None  # a write of the scale that is on its way
    version: int | None = None  # that it insists on


class Operator(NamedTuple):
    """``deployment`` and ``pods`` as its cache has them."""

    deployment: Deployment = Deployment()
    pods: Pods = ()
    memory: Memory = Memory()
    at: Pass = Pass()


class World(NamedTuple):
    """Everything, at one moment; ``most``: requests at a time, ``nights``: how often it may fall asleep
    before the last request comes, ``accidents``: how many more may happen."""

    now: int = 0
    deployment: Deployment = Deployment()
    pods: Pods = ()
    made: int = 0  # pods so far
    gateways: tuple[Gateway, ...] = (Gateway(),)
    operator: Operator = Operator()
    most: int = 1
    nights: int = 2
    accidents: int = 0
    served: int = 0
    wakes: int = 0
    sleeps: int = 0
    conflicts: int = 0
    undone: int = 0  # sleeps that took away what a request had been promised

    @property
    def requests(self) -> int:
        """Those that wait or run."""
        return sum(gateway.waiting + len(gateway.running) for gateway in self.gateways)


# -- what everybody sees


@cache
def _view(pods: Pods) -> ServiceView:
    return ServiceView(CONFIG, tuple(_worker(pod) for pod in pods))


def _worker(pod: Pod) -> Worker:
    ready = pod.ready_since is not None
    stage = "started" if ready else "created"
    return Worker(str(pod.uid), 0, f"10.0.0.{pod.uid}" if ready else "", 8000, ready, pod.ending, stage)


@cache
def _facts(pods: Pods) -> tuple[WorkerFacts, ...]:
    return tuple(
        WorkerFacts(
            str(pod.uid),
            created=0.0,
            node="n",
            host=f"10.0.0.{pod.uid}",
            ready_since=None if pod.ready_since is None else float(pod.ready_since),
            terminating=pod.ending,
        )
        for pod in pods
    )


def _manifest(deployment: Deployment) -> dict[str, object]:
    return {"spec": {"replicas": deployment.replicas}}


def _with_gateway(world: World, number: int, gateway: Gateway) -> World:
    gateways = (*world.gateways[:number], gateway, *world.gateways[number + 1 :])
    return world._replace(gateways=gateways)


# -- gateways


def arrives(world: World, number: int) -> World:
    """A request comes to a gateway."""
    gateway = world.gateways[number]
    gateway = gateway._replace(waiting=gateway.waiting + 1, last_active=world.now)
    return _dispatched(_with_gateway(world, number, gateway), number)


def _dispatched(world: World, number: int) -> World:
    """Everybody that waits goes to a worker, as far as the gateway sees any that takes requests. One that is
    ending, or gone, turns the request away, and it waits again."""
    gateway = world.gateways[number]
    alive = {pod.uid for pod in world.pods if pod.ready_since is not None and not pod.ending}
    for pod in gateway.view:
        usable = pod.ready_since is not None and not pod.ending and pod.uid not in gateway.refused
        if not (usable and gateway.waiting):
            continue
        if pod.uid in alive:
            running = tuple(sorted((*gateway.running, *(pod.uid,) * gateway.waiting)))
            gateway = gateway._replace(waiting=0, running=running, woke=False)
        else:
            gateway = gateway._replace(refused=(*gateway.refused, pod.uid))
    return _with_gateway(world, number, gateway)


def ends(world: World, number: int) -> World:
    """A request that runs ends well."""
    gateway = world.gateways[number]
    ended = gateway._replace(running=gateway.running[1:], last_active=world.now)
    return _with_gateway(world, number, ended)._replace(served=world.served + 1)


def sees_pods(world: World, number: int) -> World:
    """A gateway's watch catches up."""
    gateway = world.gateways[number]
    present = {pod.uid for pod in world.pods}
    refused = tuple(uid for uid in gateway.refused if uid in present)
    gateway = gateway._replace(view=world.pods, refused=refused)
    return _dispatched(_with_gateway(world, number, gateway), number)


def wakes(world: World, number: int) -> World:
    """A gateway's JSON patch: its test fails where the number is not zero."""
    if world.deployment.replicas:
        return world
    gateway = world.gateways[number]._replace(woke=True)
    deployment = Deployment(1, world.deployment.version + 1)
    world = _with_gateway(world, number, gateway)
    return world._replace(deployment=deployment, wakes=world.wakes + 1)


# -- controllers and kubelet


def controllers_act(world: World) -> World:
    """A pod is made, or one is deleted, first of those that are not ready; the Deployment tells of it."""
    alive = sorted((pod for pod in world.pods if not pod.ending), key=lambda pod: pod.ready_since is not None)
    if len(alive) < world.deployment.replicas:
        world = world._replace(pods=(*world.pods, Pod(world.made)), made=world.made + 1)
    elif len(alive) > world.deployment.replicas:
        world = world._replace(pods=_ending(world.pods, alive[0].uid))
    return world._replace(deployment=Deployment(world.deployment.replicas, world.deployment.version + 1))


def _ending(pods: Pods, uid: int) -> Pods:
    return tuple(pod._replace(ending=True) if pod.uid == uid else pod for pod in pods)


def becomes_ready(world: World, uid: int) -> World:
    """A worker has loaded."""
    pods = tuple(pod._replace(ready_since=world.now) if pod.uid == uid else pod for pod in world.pods)
    return world._replace(pods=pods)


def is_gone(world: World, uid: int) -> World:
    """A worker that was ending has finished what it had."""
    return world._replace(pods=tuple(pod for pod in world.pods if pod.uid != uid))


def is_deleted(world: World, uid: int) -> World:
    """Somebody deletes a worker's pod."""
    return world._replace(pods=_ending(world.pods, uid), accidents=world.accidents - 1)


# -- the operator


def _operator(world: World, **changes: Any) -> World:
    return world._replace(operator=world.operator._replace(**changes))


def sees_deployment(world: World) -> World:
    """The operator's watch of Deployments catches up."""
    return _operator(world, deployment=world.deployment)


def sees_workers(world: World) -> World:
    """The operator's watch of pods catches up."""
    return _operator(world, pods=world.pods)


def hears(world: World, number: int) -> World:
    """A gateway's line reaches the operator."""
    gateway = world.gateways[number]
    return _with_gateway(world, number, gateway._replace(heard=gateway.demand))


def load_of(world: World) -> Load:
    """The demand as the operator knows it."""
    heard = [each.heard for each in world.gateways if each.heard is not None]
    active = [float(each.last_active) for each in heard if each.last_active is not None]
    return Load(
        waiting=sum(each.waiting for each in heard),
        in_flight=sum(each.in_flight for each in heard),
        last_activity=max(active, default=None),
        silent=len(heard) < len(world.gateways),
    )


def _decided(world: World, counters: Counters | None) -> tuple[ScaleDecision, Memory]:
    operator = world.operator
    pool = pool_of(_manifest(operator.deployment), _facts(operator.pods), None)
    return decide(BOUNDS, pool, load_of(world), float(world.now), operator.memory, counters)


def looks(world: World) -> World:
    """A pass begins: it is content, asks the workers' counters, or writes the scale."""
    decision, memory = _decided(world, None)
    world = _operator(world, memory=memory)
    if decision.ask_counters:
        workers = _facts(world.operator.pods)
        ready = tuple(int(worker.name) for worker in workers if worker.ready)
        return _operator(world, at=Pass(asking=ready))
    return _writes(world, decision)


def are_asked(world: World) -> World:
    """The workers tell their counters; one that is gone tells nothing."""
    asked = world.operator.at.asking
    present = {pod.uid for pod in world.pods}
    busy = any(uid in asked for gateway in world.gateways for uid in gateway.running)
    last_busy = float(world.now) if busy else None
    counters = Counters(busy, float(world.now), last_busy, complete=present.issuperset(asked))
    return _operator(world, at=Pass(counters=counters))


def looks_again(world: World) -> World:
    """The second look, with what the counters have said."""
    decision, memory = _decided(world, world.operator.at.counters)
    return _writes(_operator(world, memory=memory), decision)


def _writes(world: World, decision: ScaleDecision) -> World:
    known = world.operator.deployment
    if decision.replicas == known.replicas:
        return _operator(world, at=Pass())
    version = known.version if decision.replicas < known.replicas else None
    return _operator(world, at=Pass(replicas=decision.replicas, version=version))


def lands(world: World) -> World:
    """The operator's PUT of the scale: refused where it insists on a version that is not the latest."""
    at = world.operator.at
    world = _operator(world, at=Pass())
    if at.replicas is None or at.version not in (None, world.deployment.version):
        return world._replace(conflicts=world.conflicts + 1)
    promised = any(gateway.woke and gateway.waiting for gateway in world.gateways)
    deployment = Deployment(at.replicas, world.deployment.version + 1)
    world = _operator(world._replace(deployment=deployment), deployment=deployment)
    if at.replicas:
        return world
    return world._replace(sleeps=world.sleeps + 1, undone=world.undone + promised)


def restarts(world: World) -> World:
    """Another replica takes over: it has listed the Deployment, its pods are as old as they were, it
    remembers nothing and no gateway has told it anything."""
    successor = Operator(world.deployment, world.operator.pods)
    unheard = tuple(each._replace(heard=None) for each in world.gateways)
    return world._replace(operator=successor, gateways=unheard, accidents=world.accidents - 1)


def passes(world: World) -> World:
    """A while, longer than the idle timeout, in which nothing else happens. What a gateway tells does not
    take that long: it is heard within a second, or is known not to be heard. Watches may."""
    return world._replace(now=world.now + A_WHILE)


# -- what may happen next


def steps(world: World) -> Iterator[tuple[str, World]]:
    """Every event that may happen now, by its name, and the world after it."""
    yield from _chances(world)
    yield from _duties(world)


def _chances(world: World) -> Iterator[tuple[str, World]]:
    """What may happen and need not."""
    for number in range(len(world.gateways)):
        if world.requests < world.most and len(world.pods) < MOST_PODS and world.sleeps < world.nights:
            yield f"a request arrives at gateway {number}", arrives(world, number)
    if all(each.heard in (None, each.demand) for each in world.gateways):
        yield "a while passes", passes(world)
    if world.accidents:
        yield "the operator is replaced", restarts(world)
        for pod in world.pods:
            if not pod.ending:
                yield f"somebody deletes pod {pod.uid}", is_deleted(world, pod.uid)


def _duties(world: World) -> Iterator[tuple[str, World]]:
    """What happens sooner or later."""
    yield from _cluster(world)
    for number, gateway in enumerate(world.gateways):
        yield from _of_gateway(world, number, gateway)
    yield from _of_operator(world)


def _cluster(world: World) -> Iterator[tuple[str, World]]:
    alive = sum(1 for pod in world.pods if not pod.ending)
    if alive != world.deployment.replicas:
        yield "the controllers act", controllers_act(world)
    busy = {uid for gateway in world.gateways for uid in gateway.running}
    for pod in world.pods:
        if pod.ending and pod.uid not in busy:
            yield f"pod {pod.uid} is gone", is_gone(world, pod.uid)
        elif pod.ready_since is None and not pod.ending:
            yield f"pod {pod.uid} is ready", becomes_ready(world, pod.uid)


def _of_gateway(world: World, number: int, gateway: Gateway) -> Iterator[tuple[str, World]]:
    if gateway.view != world.pods:
        yield f"gateway {number} sees pods", sees_pods(world, number)
    if must_wake(_view(gateway.view), gateway.waiting):
        yield f"gateway {number} wakes", wakes(world, number)
    if gateway.running:
        yield f"a request of gateway {number} ends", ends(world, number)
    if gateway.heard != gateway.demand:
        yield f"the operator hears gateway {number}", hears(world, number)


def _of_operator(world: World) -> Iterator[tuple[str, World]]:
    operator, at = world.operator, world.operator.at
    if operator.deployment != world.deployment:
        yield "the operator sees the deployment", sees_deployment(world)
    if operator.pods != world.pods:
        yield "the operator sees pods", sees_workers(world)
    if at.replicas is not None:
        yield "the write lands", lands(world)
    elif at.counters is not None:
        yield "the operator looks again", looks_again(world)
    elif at.asking:
        yield "the workers are asked", are_asked(world)
    else:
        yield "the operator looks", looks(world)


def calm(world: World, rounds: int = 40) -> World:
    """The world after everything that has to happen has happened, in turn, and nothing else."""
    for _ in range(rounds):
        before = world
        for name in [name for name, _ in _duties(world)]:
            world = next((after for other, after in _duties(world) if other == name), world)
        if world._replace(wakes=0, sleeps=0, conflicts=0) == before._replace(wakes=0, sleeps=0, conflicts=0):
            return world
    raise AssertionError(f"it does not come to rest: {world}")


def play(world: World, *names: str) -> World:
    """The world after these events, in this order. AssertionError: one of them cannot happen then."""
    for name in names:
        possible = dict(steps(world))
        if name not in possible:
            raise AssertionError(f"{name!r} cannot happen now, but {sorted(possible)}; {world}")
        world = possible[name]
    return world
