"""With nobody behind the webhooks' address every write succeeds, and every queue has its limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.component.kube.objects import MANAGER, create_service
from tests.component.kube.webhooks import Installation, depth_and_note, running
from tidegate.api.config import effective_limit, parse_service_config
from tidegate.api.v1alpha1 import parse
from tidegate.controller.webhook_tls import WebhookTls
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient

CALIBRATED = "tidegate.io/calibrated-max-depth"


@asynccontextmanager
async def nobody(port: int) -> AsyncIterator[None]:
    """The port is closed: a connection is refused at once."""
    assert port
    yield


@asynccontextmanager
async def a_black_hole(port: int) -> AsyncIterator[None]:
    """A connection is accepted, and no byte is ever answered: the node is lost."""
    held: list[asyncio.StreamWriter] = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    async with await asyncio.start_server(accept, "127.0.0.1", port):
        try:
            yield
        finally:
            for writer in held:
                writer.transport.abort()


@pytest.fixture
async def hurried(client: KubeClient, namespace: str) -> AsyncIterator[Installation]:
    """Webhooks for which the API server waits two seconds."""
    made = Installation(client, namespace, timeout=2)
    await made.install()
    try:
        yield made
    finally:
        await made.uninstall()


Dead = Callable[[int], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize("dead", [nobody, a_black_hole])
async def test_every_write_succeeds_and_the_limit_is_the_one_that_would_have_been_written(
    client: KubeClient, namespace: str, hurried: Installation, dead: Dead
) -> None:
    for _ in range(2):
        await WebhookTls(client, hurried.names).ensure(datetime.now(UTC))  # the API server knows whom to ask
    async with dead(hurried.port):
        plain = await create_service(client, namespace, "plain", degradation={})
        assert depth_and_note(plain) == (None, None)
        config = parse_service_config(plain, 256)
        assert config.max_depth == 256
        assert config.degradation
        assert [step.above for step in config.degradation.steps] == [64, 128, 192]
        limit = effective_limit(parse(plain), 256)
        assert (limit.limit, limit.source) == (256, "Default")
        await _foreign_objects_are_written(client, namespace)
        path = paths.inference_service(namespace, "plain")
        calibrated: Json = {"metadata": {"annotations": {CALIBRATED: "96"}}}
        changed = await client.merge_patch(path, calibrated, field_manager="x")
        assert effective_limit(parse(changed), 256).limit == 96
        await client.delete(path)


async def _foreign_objects_are_written(client: KubeClient, namespace: str) -> None:
    metadata = {"name": "foreign"}
    body: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await client.create(path, body, field_manager=MANAGER)
    await client.merge_patch(f"{path}/foreign", {"data": {"a": "c"}}, field_manager=MANAGER)


async def test_what_was_written_meanwhile_is_filled_in_when_the_webhook_is_back(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        await create_service(client, namespace, "before")
    path = paths.inference_service(namespace, "before")
    manifest: Json = {
        "apiVersion": "tidegate.io/v1alpha1",
        "kind": "InferenceService",
        "metadata": {"name": "before", "namespace": namespace},
        "spec": {"queue": {"maxDepth": 128}},
    }
    written = await client.apply(path, manifest, field_manager="user")
    assert depth_and_note(written) == (128, "128 from Default")  # nobody was there to take the note away
    plain = await create_service(client, namespace, "plain")
    assert depth_and_note(plain) == (None, None)
    async with running(installation, default=256):
        touched: Json = {"metadata": {"labels": {"touched": "yes"}}}
        again = await client.merge_patch(path, touched, field_manager="x")
        assert depth_and_note(again) == (128, None)  # the user's own
        other = paths.inference_service(namespace, "plain")
        assert depth_and_note(await client.merge_patch(other, touched, field_manager="x")) == (
            256,
            "256 from Default",
        )
