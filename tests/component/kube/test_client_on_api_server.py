"""The client's every method against a real API server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import httpx
import pytest

from tests.component.kube.objects import MANAGER, create_deployment, create_service
from tests.component.kube.wire import CuttableProxy, restart
from tidegate.devcluster import ApiServer
from tidegate.kube import errors, paths
from tidegate.kube.client import Json, KubeClient, WatchEvent


def config_map(name: str, **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def watched_to_its_end(client: KubeClient, path: str, version: str) -> list[WatchEvent]:
    async with aclosing(client.watch(path, version)) as events:
        return [event async for event in events]


async def test_a_listing_of_more_than_one_page_is_whole(client: KubeClient, namespace: str) -> None:
    gate = asyncio.Semaphore(20)

    async def create(index: int) -> None:
        async with gate:
            await client.create(config_maps(namespace), config_map(f"c{index}"), field_manager=MANAGER)

    await asyncio.gather(*(create(index) for index in range(1_010)))
    items, version = await client.list_all(config_maps(namespace))
    assert {item["metadata"]["name"] for item in items} >= {f"c{index}" for index in range(1_010)}
    assert int(version) > 0


async def test_selectors_narrow_a_listing(client: KubeClient, namespace: str) -> None:
    for name, color in (("a", "red"), ("b", "blue")):
        body = config_map(name)
        body["metadata"]["labels"] = {"color": color}
        await client.create(config_maps(namespace), body, field_manager=MANAGER)
    by_label, _ = await client.list_all(config_maps(namespace), label_selector="color=red")
    by_field, _ = await client.list_all(config_maps(namespace), field_selector="metadata.name=b")
    assert [item["metadata"]["name"] for item in by_label + by_field] == ["a", "b"]


async def test_each_refusal_is_its_own_error(client: KubeClient, namespace: str) -> None:
    collection = config_maps(namespace)
    with pytest.raises(errors.NotFoundError):
        await client.get(f"{collection}/none")
    created = await client.create(collection, config_map("one"), field_manager=MANAGER)
    with pytest.raises(errors.AlreadyExistsError):
        await client.create(collection, config_map("one"), field_manager=MANAGER)
    await client.merge_patch(f"{collection}/one", {"data": {"x": "1"}}, field_manager=MANAGER)
    with pytest.raises(errors.ConflictError):
        await client.replace(f"{collection}/one", created, field_manager=MANAGER)
    with pytest.raises(errors.ConflictError):
        await client.delete(f"{collection}/one", uid="somebody-else")
    await client.delete(f"{collection}/one", uid=created["metadata"]["uid"])
    with pytest.raises(errors.InvalidError, match="uri"):
        await create_service(client, namespace, "bad", model={"uri": "ftp://nowhere"})


async def test_apply_sets_its_fields_and_a_second_one_takes_back_what_it_dropped(
    client: KubeClient, namespace: str
) -> None:
    path = f"{config_maps(namespace)}/applied"
    await client.apply(path, config_map("applied", a="1", b="2"), field_manager=MANAGER)
    await client.merge_patch(path, {"data": {"theirs": "3"}}, field_manager="someone")
    applied = await client.apply(path, config_map("applied", a="1"), field_manager=MANAGER)
    assert applied["data"] == {"a": "1", "theirs": "3"}
    same = await client.apply(path, config_map("applied", a="1"), field_manager=MANAGER)
    assert same["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]


async def test_apply_without_force_meets_another_managers_field(client: KubeClient, namespace: str) -> None:
    path = f"{config_maps(namespace)}/contested"
    await client.apply(path, config_map("contested", a="1"), field_manager="first")
    with pytest.raises(errors.ConflictError):
        await client.apply(path, config_map("contested", a="2"), field_manager="second", force=False)


async def test_a_watch_tells_what_was_added_changed_and_deleted_since(
    client: KubeClient, namespace: str
) -> None:
    collection = paths.deployments(namespace)
    _, version = await client.list_all(collection)
    await create_deployment(client, namespace, "qwen")
    path = paths.deployment(namespace, "qwen-worker")
    await client.merge_patch(path, {"metadata": {"labels": {"x": "y"}}}, field_manager=MANAGER)
    await client.delete(path)
    seen: list[WatchEvent] = []
    async with aclosing(client.watch(collection, version)) as events:
        async for event in events:
            seen.append(event)
            if event.type == "DELETED":
                break
    assert [event.type for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert len({event.resource_version for event in seen}) == 3


async def test_a_watch_from_before_the_compaction_says_so(
    server: ApiServer, client: KubeClient, namespace: str
) -> None:
    _, version = await client.list_all(config_maps(namespace))
    await client.create(config_maps(namespace), config_map("later"), field_manager=MANAGER)
    _, now = await client.list_all(config_maps(namespace))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as etcd:
        compacted = await etcd.post(f"{server.plane.etcd_url}/v3/kv/compaction", json={"revision": now})
    assert compacted.status_code == 200
    restart(server)  # its watch cache still knew
    with pytest.raises(errors.GoneError):
        await watched_to_its_end(client, config_maps(namespace), version)


async def test_a_silent_connection_ends_a_watch_and_a_call_within_their_budgets(
    proxied: KubeClient, proxy: CuttableProxy, namespace: str
) -> None:
    _, version = await proxied.list_all(config_maps(namespace))
    proxy.freeze()
    async with asyncio.timeout(120):
        with pytest.raises(errors.UnreachableError, match="within 8 s"):
            await proxied.get(f"{config_maps(namespace)}/x")
        with pytest.raises(errors.UnreachableError):
            await watched_to_its_end(proxied, config_maps(namespace), version)


async def test_a_watch_that_has_begun_notices_silence(
    proxied: KubeClient, proxy: CuttableProxy, namespace: str
) -> None:
    collection = config_maps(namespace)
    _, version = await proxied.list_all(collection)
    await proxied.create(collection, config_map("first"), field_manager=MANAGER)
    async with asyncio.timeout(120), aclosing(proxied.watch(collection, version)) as events:
        assert (await anext(events)).type == "ADDED"
        proxy.freeze()
        with pytest.raises(errors.UnreachableError, match="within 5 s"):
            await anext(events)


async def test_a_failed_test_of_a_json_patch_changes_nothing(client: KubeClient, namespace: str) -> None:
    await create_deployment(client, namespace, "qwen", replicas=3)
    path = paths.deployment_scale(namespace, "qwen-worker")
    operations: list[Json] = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 9},
    ]
    with pytest.raises(errors.PatchTestError):
        await client.json_patch(path, operations, field_manager=MANAGER)
    assert (await client.get(path))["spec"]["replicas"] == 3
