"""The admission webhooks' server: TLS, two paths, and nothing that could hold up the API server."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from tidegate.controller.admission import Admission, Json, MalformedReviewError
from tidegate.controller.webhook_tls import TlsNames, WebhookTls, always
from tidegate.kube.client import KubeClient
from tidegate.kube.errors import KubeError
from tidegate.resources.names import OPERATOR_WEBHOOK_PORT

_logger = logging.getLogger(__name__)

_MAX_REVIEW_BYTES = (
    8 * 1024 * 1024
)  # old and new object, each at most 1.5 MiB in etcd, and their managedFields
_READ_BUDGET_SECONDS = 10.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """``host`` None listens on all addresses. The certificate is looked after every ``check_seconds``, with
    jitter; ``acts``: whether this replica may write it now, and the API server's trust in it."""

    tls: TlsNames
    acts: Callable[[], bool] = always
    host: str | None = None
    port: int = OPERATOR_WEBHOOK_PORT
    check_seconds: float = 60.0
    now: Callable[[], datetime] = _utc_now
    jitter: Callable[[float, float], float] = random.uniform


def webhook_app(admission: Admission) -> web.Application:
    """``POST /mutate`` and ``/validate`` answer AdmissionReviews, 400 with a sentence for anything else;
    ``GET /healthz``."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application(client_max_size=_MAX_REVIEW_BYTES)
    app.router.add_post("/mutate", _reviewed(admission.mutate))
    app.router.add_post("/validate", _reviewed(admission.validate))
    app.router.add_get("/healthz", healthz)
    return app


def _reviewed(answer: Callable[[object], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READ_BUDGET_SECONDS):
                body = await request.read()
            answered = answer(msgspec.json.decode(body))
        except MalformedReviewError as error:
            return web.Response(status=400, text=f"{error}\n")
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"the body is not JSON: {error}\n")
        except TimeoutError:
            return web.Response(status=408, text="the body did not arrive in time\n")
        return web.Response(body=msgspec.json.encode(answered), content_type="application/json")

    return handle


async def run_webhook(client: KubeClient, settings: WebhookSettings, admission: Admission) -> None:
    """Serve the webhooks, and keep their certificate and the API server's trust in it, until cancelled.

    While the API server is away the certificate at hand is served on; before the first one, nothing is.
    OSError where the port is taken.
    """
    tls = WebhookTls(client, settings.tls, settings.acts)
    await _until_ready(tls, settings)
    runner = web.AppRunner(webhook_app(admission), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=tls.context).start()
        _logger.info("the admission webhooks listen on port %d", settings.port)
        await _look_after(tls, settings)
    finally:
        await runner.cleanup()


async def _until_ready(tls: WebhookTls, settings: WebhookSettings) -> None:
    delay = 0.5
    while not await _ensure(tls, settings):
        await asyncio.sleep(delay * settings.jitter(0.5, 1.0))
        delay = min(delay * 2, 15.0)


async def _look_after(tls: WebhookTls, settings: WebhookSettings) -> None:
    while True:
        await asyncio.sleep(settings.check_seconds * settings.jitter(0.8, 1.2))
        await _ensure(tls, settings)


async def _ensure(tls: WebhookTls, settings: WebhookSettings) -> bool:
    """Whether a certificate is served, or about to be, that the API server trusts."""
    try:
        return await tls.ensure(settings.now())
    except (KubeError, ssl.SSLError) as error:
        _logger.warning("the webhooks' certificate cannot be looked after: %s", error)
        return False
