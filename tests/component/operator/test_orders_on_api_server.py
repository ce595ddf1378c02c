"""Orders of events around sleep and wake, where a running operator sees late what a real API server knows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.component.kube.wire import eventually
from tests.component.operator.conftest import Stage
from tests.component.operator.harness import World, ready_status
from tests.component.operator.proxy import Write
from tidegate.domain.service import ServiceKey
from tidegate.kube import paths
from tidegate.kube.gateway_substrate import GatewaySubstrate

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("stage")]

LONG_IDLE = 1000.0


def _scale_writes(stage: Stage, world: World, name: str) -> list[Write]:
    path = paths.deployment_scale(world.namespace, f"{name}-worker")
    return [write for write in stage.operator.writes if write.path == path]


async def _running(world: World, stage: Stage, name: str, idle_timeout: int) -> str:
    """A service with one worker that has been ready for long, and a request that runs; its key."""
    await world.idle(name, scaling={"idleTimeoutSeconds": idle_timeout})
    stage.gateway.tell(f"{world.namespace}/{name}", inFlight=1)
    await world.scale(name, 1)
    await world.pod(name, f"{name}-1", ready_status(time.time() - LONG_IDLE))
    await world.phase(name, "Running")
    return f"{world.namespace}/{name}"


async def _replicas(world: World, name: str, count: int) -> bool:
    return await world.replicas(name) == count


async def _wake(world: World, name: str) -> bool:
    """What a gateway does; whether that changed anything."""
    return await GatewaySubstrate(world.kube).wake(ServiceKey(world.namespace, name))


@asynccontextmanager
async def _blind(stage: Stage) -> AsyncIterator[None]:
    """The operator reads nothing within the block, neither by a watch nor by a listing, and catches up after
    it; what it writes is answered."""
    see, proxy = asyncio.Event(), stage.operator.proxy

    async def hold(request: web.Request) -> None:
        if request.method == "GET" and "/leases" not in request.path:
            await see.wait()

    proxy.before = hold
    proxy.break_watches()
    try:
        yield
    finally:
        proxy.before = None
        see.set()
        proxy.resume_watches()


async def test_an_operator_that_has_not_seen_a_wake_is_refused_its_zero_and_decides_anew(
    world: World, stage: Stage
) -> None:
    key = await _running(world, stage, "unseen", idle_timeout=1)
    before = len(_scale_writes(stage, world, "unseen"))

    async def refused() -> bool:
        return any(write.status == 409 for write in _scale_writes(stage, world, "unseen")[before:])

    async with _blind(stage):
        await world.scale("unseen", 0)  # by hand
        assert await _wake(world, "unseen")
        stage.gateway.tell(key, idleSeconds=LONG_IDLE)
        await eventually(refused, "the zero was refused")
        stage.gateway.tell(key, waiting=1)
    await stage.operator.settled(1.0)
    assert await world.replicas("unseen") == 1
    stage.gateway.tell(key, idleSeconds=LONG_IDLE)
    await eventually(lambda: _replicas(world, "unseen", 0), "and idle again it sleeps")


async def test_a_wake_between_the_decision_and_its_write_is_not_undone(world: World, stage: Stage) -> None:
    key = await _running(world, stage, "between", idle_timeout=1)
    path = paths.deployment_scale(world.namespace, "between-worker")
    decided, go = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> None:
        if request.method == "PUT" and request.path == path:
            decided.set()
            await go.wait()

    stage.operator.proxy.before = hold
    try:
        stage.gateway.tell(key, idleSeconds=LONG_IDLE)
        async with asyncio.timeout(60):
            await decided.wait()
        await world.scale("between", 0)  # by hand
        assert await _wake(world, "between")
        stage.gateway.tell(key, waiting=1)
    finally:
        stage.operator.proxy.before = None
        go.set()
    await stage.operator.settled(1.0)
    assert [write.status for write in _scale_writes(stage, world, "between")][-1] == 409
    assert await world.replicas("between") == 1


async def test_an_operator_that_sees_the_wake_before_the_pods_and_before_the_demand_does_not_undo_it(
    world: World, stage: Stage
) -> None:
    """The pod of before is still Ready in its eyes and was idle for long: nobody has told it of its end."""
    key = await _running(world, stage, "early", idle_timeout=60)  # of it the wake begins anew
    stage.gateway.tell(key, idleSeconds=LONG_IDLE)
    await eventually(lambda: _replicas(world, "early", 0), "it sleeps")
    await stage.operator.settled(1.0)
    before = len(_scale_writes(stage, world, "early"))
    assert await _wake(world, "early")
    await world.phase("early", "Running")  # the operator has seen it: one worker is wanted, one looks ready
    stage.gateway.tell(key, waiting=1)
    await stage.operator.settled(1.0)
    assert _scale_writes(stage, world, "early")[before:] == []
    assert await world.replicas("early") == 1


async def test_a_request_that_comes_while_the_workers_are_asked_keeps_its_worker(
    world: World, stage: Stage
) -> None:
    key = await _running(world, stage, "asked", idle_timeout=1)
    before, stage.worker.answers = stage.worker.asked, asyncio.Event()
    try:
        stage.gateway.tell(key, idleSeconds=LONG_IDLE)

        async def is_asked() -> bool:
            return stage.worker.asked > before

        await eventually(is_asked, "the worker is asked for its counters")
        stage.gateway.tell(key, waiting=1)
    finally:
        stage.worker.answers.set()
    await stage.operator.settled(1.0)
    assert await world.replicas("asked") == 1
