"""Lets twenty pods onto a node that has one core to give: their CPU request becomes a hundredth of a core.

The resource asks for whole cores, so an admission webhook of the benchmark changes the request of every pod
of one namespace, the bare ones too: both pay the same for it.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tidegate.devcluster.certificates import new_authority
from tidegate.devcluster.network import MACHINE
from tidegate.kube.client import Json, KubeClient
from tidegate.kube.paths import mutating_webhook_configuration
from wake.field import MANAGER

NAME = "bench-wake-small-requests"
CPU = "10m"
_PATCH = [{"op": "replace", "path": "/spec/containers/0/resources/requests/cpu", "value": CPU}]


@asynccontextmanager
async def small_requests(kube: KubeClient, namespace: str) -> AsyncIterator[None]:
    """For the pods that are created in the namespace within the block."""
    host = str(MACHINE.ip)
    with tempfile.TemporaryDirectory() as folder:
        authority = new_authority(Path(folder))
        authority.server("hook", NAME, [host])
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(Path(folder) / "hook.crt", Path(folder) / "hook.key")
        async with _served(host, context) as port:
            url, bundle = f"https://{host}:{port}/", authority.ca.read_bytes()
            path = mutating_webhook_configuration(NAME)
            manifest = _configuration(namespace, url, bundle)
            await kube.create(path.rpartition("/")[0], manifest, field_manager=MANAGER)
            try:
                yield
            finally:
                await kube.delete(path)


@asynccontextmanager
async def _served(host: str, context: ssl.SSLContext) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_post("/", _review)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=context).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _review(request: web.Request) -> web.Response:
    uid = (await request.json())["request"]["uid"]
    patch = base64.b64encode(json.dumps(_PATCH).encode()).decode()
    response = {"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": patch}
    return web.json_response(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
    )


def _configuration(namespace: str, url: str, bundle: bytes) -> Json:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    webhook = {
        "name": "small-requests.bench.invalid",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(bundle).decode()},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [webhook],
    }
