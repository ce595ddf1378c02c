"""Keeps the webhooks' certificate in a Secret, in the server, and in the API server's trust.

Replicas share it through the Secret. The one that acts makes and renews it; every one serves what it finds
there, once the API server has had time to take notice of its CA.
"""

from __future__ import annotations

import base64
import binascii
import logging
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tidegate.controller.certificates import (
    Certificate,
    is_usable,
    make_certificate,
    renewal_is_due,
    service_names,
)
from tidegate.kube import paths
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.errors import ConflictError, NotFoundError
from tidegate.kube.owner import owner_reference
from tidegate.resources.names import FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TlsNames:
    """Where things are: the webhooks' Service and Secret in ``namespace``, the cluster's webhook
    configurations, mutating and validating under one name, and the Deployment that owns the Secret, so that
    it goes when the chart goes."""

    namespace: str
    service: str = "tidegate-webhook"
    secret: str = "tidegate-webhook-tls"  # noqa: S105 (a name, not a secret)
    webhook_configuration: str = "tidegate"
    owner_deployment: str = "tidegate-operator"


def always() -> bool:
    """The only replica acts."""
    return True


class WebhookTls:
    """``context`` is the server's; it takes a renewed certificate without a restart. ``acts``: whether this
    replica may write now."""

    def __init__(self, client: KubeClient, names: TlsNames, acts: Callable[[], bool] = always) -> None:
        self._client = client
        self._names = names
        self._acts = acts
        self._hosts = service_names(names.service, names.namespace)
        self._loaded: Certificate | None = None
        self._trusted: Certificate | None = None  # by the API server, when it was looked at before
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    async def ensure(self, now: datetime) -> bool:
        """Load what the Secret has; where this replica acts, make, renew and publish what is missing or due.

        An unchanged state costs no write. The API server learns of a new CA before a certificate of it is
        served, the first one too, and gets until the next call to take notice of it. Whether there is one to
        serve. KubeError where the API server refuses or is away.
        """
        certificate = await self._stored(now)
        trusted = certificate is not None and await self._is_trusted(certificate.authorities)
        if certificate and trusted and certificate == self._trusted and certificate != self._loaded:
            load(self.context, certificate)
            self._loaded = certificate
        self._trusted = certificate if trusted else None
        return self._loaded is not None

    async def _stored(self, now: datetime) -> Certificate | None:
        """The Secret's certificate, made or renewed where that is due; None: another replica has to."""
        path = paths.secret(self._names.namespace, self._names.secret)
        try:
            secret = await self._client.get(path)
        except NotFoundError:
            return await self._create(now) if self._acts() else None
        found = _from_secret(secret)
        if not renewal_is_due(found, self._hosts, now):
            return found
        if self._acts():
            return await self._renew(found, secret, now)
        return found if is_usable(found, self._hosts) else None

    async def _renew(self, found: Certificate, secret: Json, now: datetime) -> Certificate:
        """A new certificate in the Secret; where another replica was faster, its one."""
        path = paths.secret(self._names.namespace, self._names.secret)
        renewed = make_certificate(self._hosts, now, previous=found)
        try:
            await self._client.replace(path, secret | {"data": _data(renewed)}, field_manager=FIELD_MANAGER)
        except ConflictError:
            return _from_secret(await self._client.get(path))
        _logger.info("the webhooks' certificate was renewed")
        return renewed

    async def _create(self, now: datetime) -> Certificate:
        made = make_certificate(self._hosts, now, previous=self._loaded)
        collection = paths.secrets(self._names.namespace)
        try:
            await self._client.create(collection, await self._secret(made), field_manager=FIELD_MANAGER)
        except ConflictError:
            return _from_secret(await self._client.get(f"{collection}/{self._names.secret}"))
        _logger.info("the webhooks' certificate was made")
        return made

    async def _secret(self, certificate: Certificate) -> Json:
        metadata: Json = {"name": self._names.secret, "labels": {MANAGED_BY_LABEL: MANAGED_BY}}
        names = self._names
        if owner := await owner_reference(self._client, names.namespace, names.owner_deployment):
            metadata["ownerReferences"] = [owner]
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata,
            "data": _data(certificate),
        }

    async def _is_trusted(self, authorities: bytes) -> bool:
        """Whether both configurations have the CA, once this replica has written it where it acts."""
        name = self._names.webhook_configuration
        found = [
            await self._publish(path, authorities)
            for path in (
                paths.mutating_webhook_configuration(name),
                paths.validating_webhook_configuration(name),
            )
        ]
        return all(found)

    async def _publish(self, path: str, authorities: bytes) -> bool:
        """The CA in each webhook of a configuration, written where it is missing; whether it is there now."""
        try:
            configuration = await self._client.get(path)
        except NotFoundError:
            _logger.warning("there is no %s", path)
            return True
        operations = ca_operations(configuration, authorities)
        if operations and not self._acts():
            return False
        if operations:
            await self._client.json_patch(path, operations, field_manager=FIELD_MANAGER)
        return True


def ca_operations(configuration: Json, authorities: bytes) -> list[Json]:
    """The JSON patch that makes each webhook trust ``authorities``; empty where all do."""
    bundle = base64.b64encode(authorities).decode()
    operations: list[Json] = []
    for index, webhook in enumerate(configuration.get("webhooks") or []):
        if webhook["clientConfig"].get("caBundle") != bundle:
            operations += [
                {"op": "test", "path": f"/webhooks/{index}/name", "value": webhook["name"]},
                {"op": "add", "path": f"/webhooks/{index}/clientConfig/caBundle", "value": bundle},
            ]
    return operations


def load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Serve ``certificate`` from the next handshake on. Python reads it from a file only, so it lies in the
    temporary folder (memory, in a pod) for that moment, for our eyes only."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tls.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate.key + certificate.certificate)
        context.load_cert_chain(file)


def _data(certificate: Certificate) -> Json:
    entries = {
        "tls.crt": certificate.certificate,
        "tls.key": certificate.key,
        "ca.crt": certificate.authorities,
    }
    return {name: base64.b64encode(content).decode() for name, content in entries.items()}


def _from_secret(secret: Json) -> Certificate:
    data = secret.get("data") or {}
    return Certificate(*(_decoded(data.get(name)) for name in ("tls.crt", "tls.key", "ca.crt")))


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except binascii.Error:
        return b""
