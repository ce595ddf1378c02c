"""What the chart installs for the webhooks, and an operator's part of them, before a real API server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.component.kube.objects import MANAGER, create_service, service_manifest
from tests.component.kube.wire import eventually
from tidegate.controller.admission import Admission
from tidegate.controller.webhook import WebhookSettings, run_webhook
from tidegate.controller.webhook_tls import TlsNames
from tidegate.controller.world import World
from tidegate.devcluster.ports import free_ports
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ForbiddenError

NOTE = "tidegate.io/queue-default"
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
_KINDS = {"Mutating": "/mutate", "Validating": "/validate"}


class Installation:
    """Both webhook configurations, for one namespace, and a Service that points to this machine."""

    def __init__(self, client: KubeClient, namespace: str, timeout: int = 30) -> None:
        """``timeout``: seconds until the API server writes without an answer; the most that there is, so that
        a busy machine is no dead webhook."""
        self.client = client
        self._timeout = timeout
        self.port = free_ports(1)[0]
        self.names = TlsNames(namespace, webhook_configuration=f"tidegate-{namespace}")
        name = self.names.webhook_configuration
        self.configurations = (
            paths.mutating_webhook_configuration(name),
            paths.validating_webhook_configuration(name),
        )

    async def install(self) -> None:
        """Create all of it, without a CA."""
        spec = {"type": "ExternalName", "externalName": "localhost"}
        metadata = {"name": self.names.service}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
        await self.client.create(paths.services(self.names.namespace), service, field_manager=MANAGER)
        for kind in _KINDS:
            collection = f"{_CONFIGURATIONS}/{kind.lower()}webhookconfigurations"
            await self.client.create(collection, self._configuration(kind), field_manager=MANAGER)

    async def uninstall(self) -> None:
        """Take away what has no namespace."""
        for path in self.configurations:
            await self.client.delete(path)

    def settings(self, port: int | None = None, **changes: Any) -> WebhookSettings:
        """The operator's settings; its certificate is looked after all the time."""
        return WebhookSettings(
            self.names, host="127.0.0.1", port=port or self.port, check_seconds=0.1, **changes
        )

    def _configuration(self, kind: str) -> Json:
        namespace = self.names.namespace
        service = {"name": self.names.service, "namespace": namespace, "port": self.port}
        rule = {
            "apiGroups": ["tidegate.io"],
            "apiVersions": ["v1alpha1"],
            "resources": ["inferenceservices"],
            "operations": ["CREATE", "UPDATE"],
        }
        webhook = {
            "name": "inferenceservices.tidegate.io",
            "clientConfig": {"service": service | {"path": _KINDS[kind]}},
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": self._timeout,
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"{kind}WebhookConfiguration",
            "metadata": {"name": self.names.webhook_configuration},
            "webhooks": [webhook],
        }

    async def ca_bundle(self) -> bytes:
        """What the API server trusts; both configurations say the same."""
        found = {
            base64.b64decode((await self.client.get(path))["webhooks"][0]["clientConfig"].get("caBundle", ""))
            for path in self.configurations
        }
        return found.pop() if len(found) == 1 else b""

    async def secret(self) -> Json:
        """The certificate's Secret."""
        return await self.client.get(paths.secret(self.names.namespace, self.names.secret))


@asynccontextmanager
async def serving(
    installation: Installation, world: World, port: int | None = None, **changes: Any
) -> AsyncIterator[None]:
    """One operator's webhooks, for the time of the block."""
    settings = installation.settings(port, **changes)
    task = asyncio.create_task(run_webhook(installation.client, settings, Admission(world)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def running(
    installation: Installation, *, default: int = 128, world: World | None = None, **changes: Any
) -> AsyncIterator[None]:
    """The webhooks serve, and the API server has taken notice of both."""
    async with serving(installation, world or World(default), **changes):
        await eventually(lambda: answers(installation), "the API server asks the webhooks")
        yield


async def answers(installation: Installation) -> bool:
    """Whether the API server asks and trusts both webhooks."""
    client, namespace = installation.client, installation.names.namespace
    probe = await create_service(client, namespace, "probe")
    await client.delete(paths.inference_service(namespace, "probe"))
    return "maxDepth" in probe["spec"].get("queue", {}) and await _refuses(client, namespace)


async def _refuses(client: KubeClient, namespace: str) -> bool:
    """Whether what the validating webhook alone refuses is refused."""
    window = {"cron": "0 9 * * *", "timeZone": "Mars/Base", "forSeconds": 60, "minReplicas": 1}
    path = f"{paths.inference_services(namespace)}?dryRun=All"
    manifest = service_manifest(namespace, "probe", scaling={"schedules": [window]})
    try:
        await client.create(path, manifest, field_manager=MANAGER)
    except ForbiddenError:
        return True
    return False


def depth_and_note(item: Json) -> tuple[Any, Any]:
    """The queue's limit in the spec, and the annotation beside it."""
    annotations = item["metadata"].get("annotations") or {}
    return item["spec"].get("queue", {}).get("maxDepth"), annotations.get(NOTE)
