"""The operator's own two ports: metrics, and health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import generate_latest

from tidegate.controller.metrics import OperatorMetrics


@asynccontextmanager
async def served(
    metrics: OperatorMetrics, ready: Callable[[], bool], host: str, metrics_port: int, health_port: int
) -> AsyncIterator[None]:
    """/metrics on one port, /healthz and /readyz on the other, within this block. OSError: a port is taken.

    /healthz answers while the event loop turns; /readyz once the cluster has been listed.
    """

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), content_type="text/plain")

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the cluster has not been listed yet\n")

    async with (
        _site({"/metrics": exposition}, host, metrics_port),
        _site({"/healthz": healthz, "/readyz": readyz}, host, health_port),
    ):
        yield


@asynccontextmanager
async def _site(routes: dict[str, Handler], host: str, port: int) -> AsyncIterator[None]:
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host or None, port).start()
        yield
    finally:
        await runner.cleanup()
