"""The admission webhook's server: TLS, one path, and nothing that could hold up the API server."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from tidegate.controller.admission import MalformedReviewError, answer_review
from tidegate.controller.webhook_tls import TlsNames, WebhookTls
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
    """``default_max_depth`` is the chart's queue.defaultMaxDepth. ``host`` None listens on all addresses.
    The certificate is looked after every ``check_seconds``, with jitter."""

    tls: TlsNames
    default_max_depth: int = 128
    host: str | None = None
    port: int = OPERATOR_WEBHOOK_PORT
    check_seconds: float = 60.0
    now: Callable[[], datetime] = _utc_now
    jitter: Callable[[float, float], float] = random.uniform


def webhook_app(default_max_depth: int) -> web.Application:
    """``POST /mutate`` answers AdmissionReviews, 400 with a sentence for anything else; ``GET /healthz``."""

    async def mutate(request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_READ_BUDGET_SECONDS):
                body = await request.read()
            answer = answer_review(msgspec.json.decode(body), default_max_depth)
        except MalformedReviewError as error:
            return web.Response(status=400, text=f"{error}\n")
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=f"the body is not JSON: {error}\n")
        except TimeoutError:
            return web.Response(status=408, text="the body did not arrive in time\n")
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application(client_max_size=_MAX_REVIEW_BYTES)
    app.router.add_post("/mutate", mutate)
    app.router.add_get("/healthz", healthz)
    return app


async def run_webhook(client: KubeClient, settings: WebhookSettings) -> None:
    """Serve the webhook, and keep its certificate and the API server's trust in it, until cancelled.

    While the API server is away the certificate at hand is served on; before the first one, nothing is.
    OSError where the port is taken.
    """
    tls = WebhookTls(client, settings.tls)
    await _until_ready(tls, settings)
    runner = web.AppRunner(webhook_app(settings.default_max_depth), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=tls.context).start()
        _logger.info("the admission webhook listens on port %d", settings.port)
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
    try:
        await tls.ensure(settings.now())
    except (KubeError, ssl.SSLError) as error:
        _logger.warning("the webhook's certificate cannot be looked after: %s", error)
        return False
    return True
