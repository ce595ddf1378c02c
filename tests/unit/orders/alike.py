"""Which worlds go on alike: of those one is enough, and so all orders of events can be tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.unit.orders.model import A_WHILE, Demand, Gateway, Operator, Pods, World

_NOW = A_WHILE


def alike(world: World) -> World:
    """The same world without what only counts, with small numbers for uids and versions, and with two times:
    now, and longer ago than the idle timeout."""
    uids, versions = _uids(world), _versions(world)
    operator = world.operator
    gateways = tuple(_gateway(each, uids, world.now) for each in world.gateways)
    return world._replace(
        now=_NOW,
        deployment=world.deployment._replace(version=versions(world.deployment.version)),
        pods=_pods(world.pods, uids, world.now),
        made=uids(world.made),
        gateways=gateways,
        operator=_operator(operator, uids, versions, world.now),
        served=0,
        wakes=0,
        conflicts=0,
        sleeps=min(world.sleeps, world.nights),
    )


def _ranks(numbers: set[int]) -> Callable[[int], int]:
    rank = {number: place for place, number in enumerate(sorted(numbers))}
    return rank.__getitem__


def _uids(world: World) -> Callable[[int], int]:
    seen = {pod.uid for pods in (world.pods, world.operator.pods) for pod in pods}
    for gateway in world.gateways:
        seen |= {pod.uid for pod in gateway.view} | {*gateway.running, *gateway.refused}
    return _ranks(seen | {*world.operator.at.asking, world.made})


def _versions(world: World) -> Callable[[int], int]:
    insists = world.operator.at.version
    seen = {world.deployment.version, world.operator.deployment.version}
    return _ranks(seen if insists is None else seen | {insists})


def _recent(time: float | None, now: int) -> int | None:
    return _NOW if time == now else None


def _pods(pods: Pods, uids: Callable[[int], int], now: int) -> Pods:
    return tuple(
        pod._replace(
            uid=uids(pod.uid),
            ready_since=None if pod.ready_since is None else _recent(pod.ready_since, now) or 0,
        )
        for pod in pods
    )


def _demand(demand: Demand | None, now: int) -> Demand | None:
    return demand and demand._replace(last_active=_recent(demand.last_active, now))


def _gateway(gateway: Gateway, uids: Callable[[int], int], now: int) -> Gateway:
    return gateway._replace(
        view=_pods(gateway.view, uids, now),
        running=tuple(map(uids, gateway.running)),
        refused=tuple(map(uids, gateway.refused)),
        last_active=_recent(gateway.last_active, now),
        heard=_demand(gateway.heard, now),
    )


def _operator(
    operator: Operator, uids: Callable[[int], int], versions: Callable[[int], int], now: int
) -> Operator:
    at, memory = operator.at, operator.memory
    counters = at.counters and replace(
        at.counters,
        first_asked=_recent(at.counters.first_asked, now) or 0,
        last_busy=_recent(at.counters.last_busy, now),
    )
    return operator._replace(
        deployment=operator.deployment._replace(version=versions(operator.deployment.version)),
        pods=_pods(operator.pods, uids, now),
        memory=replace(memory, wake=replace(memory.wake, at=_recent(memory.wake.at, now))),
        at=at._replace(
            asking=tuple(map(uids, at.asking)),
            counters=counters,
            version=None if at.version is None else versions(at.version),
        ),
    )
