"""The gateway's waker before a real API server that is away, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.component.kube.objects import MANAGER, create_deployment, replicas
from tests.component.kube.wire import CuttableProxy, eventually
from tests.unit.gateway.test_waker import Waiting
from tidegate.domain.service import ServiceKey
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.waker import Waker
from tidegate.kube import paths
from tidegate.kube.client import KubeClient
from tidegate.kube.gateway_substrate import GatewaySubstrate


@asynccontextmanager
async def waker(client: KubeClient) -> AsyncIterator[Waker]:
    """One that tries again soon."""
    made = Waker(GatewaySettings(wake_interval=0.2, wake_timeout=60.0), GatewaySubstrate(client))
    try:
        yield made
    finally:
        await made.close()


async def test_services_that_wait_while_the_api_server_is_away_are_woken_when_it_is_back(
    client: KubeClient, proxied: KubeClient, proxy: CuttableProxy, namespace: str
) -> None:
    services = [Waiting(ServiceKey(namespace, f"s{number}")) for number in range(5)]
    for service in services:
        await create_deployment(client, namespace, service.key.name)
    async with waker(proxied) as made:
        await proxy.cut(refuse=True)
        for service in services:
            made.poke(service)
        await eventually(lambda: all(len(each.refusals) > 1 for each in services), "each was tried again")
        assert all("while the API server is away" in each.refusals[0] for each in services)
        proxy.mend()
        await eventually(lambda: all(each.accepted for each in services), "each wake is accepted")
    found = await asyncio.gather(*(replicas(client, namespace, each.key.name) for each in services))
    assert found == [1] * 5


async def test_a_wake_that_finds_no_deployment_gets_through_as_soon_as_there_is_one(
    client: KubeClient, namespace: str
) -> None:
    service = Waiting(ServiceKey(namespace, "qwen"))
    async with waker(client) as made:
        made.poke(service)
        await eventually(lambda: len(service.refusals) > 1, "it was refused, and tried again")
        await create_deployment(client, namespace, "qwen")
        await eventually(lambda: bool(service.accepted), "the wake is accepted")
    assert service.accepted[0] is True
    assert await replicas(client, namespace, "qwen") == 1


async def test_a_scale_that_is_lowered_before_a_worker_was_seen_is_raised_again(
    client: KubeClient, namespace: str
) -> None:
    """No controller makes pods here, so that no worker is ever seen."""
    service = Waiting(ServiceKey(namespace, "qwen"))
    await create_deployment(client, namespace, "qwen")
    path = paths.deployment_scale(namespace, "qwen-worker")
    async with waker(client) as made:
        made.poke(service)
        await eventually(lambda: service.accepted[:1] == [True], "it is woken")
        await client.merge_patch(path, {"spec": {"replicas": 0}}, field_manager=MANAGER)
        await eventually(lambda: service.accepted.count(True) == 2, "it is woken again")
    assert await replicas(client, namespace, "qwen") == 1
