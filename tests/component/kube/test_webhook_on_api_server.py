"""The webhook as the API server calls it: by its Service's name, with the CA that the operator wrote."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta

from tests.component.kube.objects import MANAGER, create_service, service_manifest
from tests.component.kube.webhooks import Installation, answers, depth_and_note, running
from tests.component.kube.wire import eventually
from tidegate.controller.webhook_tls import WebhookTls
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import NotFoundError

NOW = datetime.now(UTC)


async def test_the_api_server_trusts_it_and_the_default_is_written(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        assert depth_and_note(await create_service(client, namespace, "plain")) == (128, "128 from Default")
        explicit = await create_service(client, namespace, "explicit", queue={"maxDepth": 7})
        assert depth_and_note(explicit) == (7, None)
        path = paths.inference_service(namespace, "plain")
        changed = {"spec": {"queue": {"maxDepth": 9}}}
        assert depth_and_note(await client.merge_patch(path, changed, field_manager="user")) == (9, None)
        dropped = {"spec": {"queue": {"maxDepth": None}}}
        assert depth_and_note(await client.merge_patch(path, dropped, field_manager="user")) == (
            128,
            "128 from Default",
        )


async def test_server_side_apply_of_the_same_manifest_is_quiet(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    path, manifest = paths.inference_service(namespace, "ssa"), service_manifest(namespace, "ssa")
    async with running(installation):
        first = await client.apply(path, manifest, field_manager="gitops")
        assert depth_and_note(first) == (128, "128 from Default")
        again = await client.apply(path, manifest, field_manager="gitops")
        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_changed_default_reaches_what_was_defaulted_at_its_next_write(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        await create_service(client, namespace, "plain")
    async with running(installation, default=256):
        path = paths.inference_service(namespace, "plain")
        touched = {"metadata": {"labels": {"touched": "yes"}}}
        assert depth_and_note(await client.merge_patch(path, touched, field_manager="user")) == (
            256,
            "256 from Default",
        )


async def test_a_dead_webhook_blocks_nobody(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        pass
    assert depth_and_note(await create_service(client, namespace, "plain")) == (None, None)


async def test_looking_after_an_unchanged_state_writes_nothing(
    client: KubeClient, installation: Installation
) -> None:
    tls = WebhookTls(client, installation.names)
    await tls.ensure(NOW)
    secret, bundle = await installation.secret(), await installation.ca_bundle()
    await tls.ensure(NOW + timedelta(days=200))
    await WebhookTls(client, installation.names).ensure(NOW)  # a restart, or another replica
    assert (await installation.secret())["metadata"]["resourceVersion"] == secret["metadata"][
        "resourceVersion"
    ]
    assert await installation.ca_bundle() == bundle


async def test_a_renewal_is_served_without_a_restart_and_without_a_gap(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    now = NOW - timedelta(days=250)  # more than two thirds of a year ago
    async with running(installation, now=lambda: now):
        before = await installation.secret()
        now = NOW
        created = [await create_service(client, namespace, f"during-{index}") for index in range(200)]
        assert {depth_and_note(item) for item in created} == {(128, "128 from Default")}
        await eventually(lambda: _renewed(installation, before), "it is renewed")
        assert (await installation.ca_bundle()).count(b"BEGIN CERTIFICATE") == 2
        await eventually(lambda: _serves(installation), "the renewed certificate is served")
        after = await create_service(client, namespace, "after")
        assert depth_and_note(after) == (128, "128 from Default")


async def _serves(installation: Installation) -> bool:
    """Whether the webhook serves the Secret's certificate."""
    stored = base64.b64decode((await installation.secret())["data"]["tls.crt"]).decode()
    address = ("127.0.0.1", installation.port)
    served = await asyncio.to_thread(ssl.get_server_certificate, address, timeout=60)
    return ssl.PEM_cert_to_DER_cert(served) == ssl.PEM_cert_to_DER_cert(stored)


async def _renewed(installation: Installation, before: Json) -> bool:
    return bool((await installation.secret())["data"]["tls.crt"] != before["data"]["tls.crt"])


async def test_replicas_that_start_together_agree_on_one_certificate(
    client: KubeClient, installation: Installation
) -> None:
    replicas = [WebhookTls(client, installation.names) for _ in range(5)]
    await asyncio.gather(*(replica.ensure(NOW) for replica in replicas))
    secret = await installation.secret()
    assert await installation.ca_bundle() == base64.b64decode(secret["data"]["ca.crt"])


async def test_a_deleted_secret_and_a_wiped_bundle_come_back(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    async with running(installation):
        await client.delete(paths.secret(namespace, installation.names.secret))
        path = paths.mutating_webhook_configuration(installation.names.webhook_configuration)
        wiped: list[Json] = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
        await client.json_patch(path, wiped, field_manager=MANAGER)
        await eventually(lambda: _is_whole(installation), "both are there again")
        await eventually(lambda: answers(installation), "it is asked again")


async def _is_whole(installation: Installation) -> bool:
    """Whether there is a Secret, and the API server is told to trust it."""
    try:
        secret = await installation.secret()
    except NotFoundError:
        return False
    return base64.b64decode(secret["data"]["ca.crt"]) == await installation.ca_bundle()


async def test_the_secret_is_owned_by_the_operators_deployment(
    client: KubeClient, namespace: str, installation: Installation
) -> None:
    labels = {"app": "operator"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tidegate-operator"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "none"}]},
            },
        },
    }
    made = await client.create(paths.deployments(namespace), deployment, field_manager=MANAGER)
    await WebhookTls(client, installation.names).ensure(NOW)
    owners = (await installation.secret())["metadata"]["ownerReferences"]
    assert [(owner["kind"], owner["uid"]) for owner in owners] == [("Deployment", made["metadata"]["uid"])]
