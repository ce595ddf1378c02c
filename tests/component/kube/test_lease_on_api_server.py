"""The Lease as a real API server keeps it."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import aclosing

import pytest

from tidegate.domain.lease import LeaseRecord
from tidegate.kube import lease as lease_module
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ConflictError, KubeError
from tidegate.kube.lease import LeaseClient, LeaseName

NOBODY = LeaseRecord()


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    name = f"lease-{uuid.uuid4().hex[:8]}"
    body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await client.create("/api/v1/namespaces", body, field_manager="tests")
    return name


@pytest.fixture
def lease(client: KubeClient, namespace: str) -> LeaseClient:
    return LeaseClient(client, LeaseName(namespace))


async def test_it_is_created_renewed_released_and_taken(lease: LeaseClient) -> None:
    assert await lease.read() is None
    made = await lease.acquire(NOBODY, "a", 10.0, 1)
    assert made == await lease.read()
    assert (made.holder, made.duration, made.transitions) == ("a", 10.0, 1)
    renewed = await lease.renew(made)
    assert (renewed.holder, renewed.transitions) == ("a", 1)
    assert renewed.version != made.version
    released = await lease.release(renewed)
    assert released.holder == ""
    taken = await lease.acquire(released, "b", 10.0, 2)
    assert (taken.holder, taken.duration, taken.transitions) == ("b", 10.0, 2)


async def test_of_two_that_take_it_at_once_one_is_told_so(lease: LeaseClient) -> None:
    await lease.acquire(NOBODY, "a", 10.0, 1)
    with pytest.raises(ConflictError):
        await lease.acquire(NOBODY, "b", 10.0, 1)


async def test_a_renewal_of_what_another_has_taken_is_refused(lease: LeaseClient) -> None:
    old = await lease.acquire(NOBODY, "a", 10.0, 1)
    await lease.acquire(old, "b", 10.0, 2)
    for write in (lease.renew, lease.release):
        with pytest.raises(ConflictError):
            await write(old)


async def test_a_watch_tells_of_the_release_and_not_of_renewals(lease: LeaseClient) -> None:
    held = await lease.acquire(NOBODY, "a", 10.0, 1)
    async with aclosing(lease.releases(held)) as releases:
        told = asyncio.ensure_future(anext(releases))
        held = await lease.renew(held)
        held = await lease.renew(held)
        done, _ = await asyncio.wait([told], timeout=0.5)
        assert not done
        await lease.release(held)
        await asyncio.wait_for(told, 60)


async def test_it_is_owned_by_the_deployment_so_that_it_goes_with_the_chart(
    client: KubeClient, namespace: str, lease: LeaseClient
) -> None:
    pod: Json = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "operator", "image": "none"}]},
    }
    deployment: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tidegate-operator"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pod},
    }
    made = await client.create(paths.deployments(namespace), deployment, field_manager="tests")
    await lease.acquire(NOBODY, "a", 10.0, 1)
    raw = await client.get(paths.lease(namespace, "tidegate-operator"))
    (owner,) = raw["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Deployment", made["metadata"]["uid"])


async def test_in_a_pod_no_lease_is_made_that_nothing_would_remove(
    client: KubeClient, namespace: str
) -> None:
    lease = LeaseClient(client, LeaseName(namespace, always_owned=True))
    with pytest.raises(KubeError, match="tidegate-operator: the Deployment that would own the Lease"):
        await lease.acquire(NOBODY, "a", 10.0, 1)
    assert await lease.read() is None


async def test_who_seizes_it_waits_until_the_holder_has_stopped_for_certain(
    lease: LeaseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "DURATION", 0.5)
    held = await lease.acquire(NOBODY, "a", 10.0, 1)
    begun = time.monotonic()
    taken = await lease.seize("retire", 3600.0)
    assert time.monotonic() - begun >= 0.5
    assert (taken.holder, taken.duration, taken.transitions) == ("retire", 3600.0, 2)
    with pytest.raises(ConflictError):
        await lease.renew(held)
