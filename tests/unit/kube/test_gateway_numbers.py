"""What the gateways say of a service, asked through the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from tests.unit.controller.streams import serving
from tidegate.domain.scaling import Load
from tidegate.kube.client import KubeClient
from tidegate.kube.gateway_numbers import UnheardError, asked_load

NOW = 5000.0
HOST = "tidegate-gateway.tide.svc.cluster.local"


def gateway(arbitrates: bool, **numbers: Any) -> dict[str, Any]:
    return {"services": [{"service": "team-a/qwen", "arbitrates": arbitrates, **numbers}, {"service": "b/c"}]}


@asynccontextmanager
async def cluster(host: str = HOST, **gateways: dict[str, Any] | int) -> AsyncIterator[KubeClient]:
    """An API server that has this Service and passes questions on to these gateways."""

    async def service(_: web.Request) -> web.Response:
        return web.json_response({"spec": {"type": "ExternalName", "externalName": host}})

    async def pods(_: web.Request) -> web.Response:
        items = [{"metadata": {"name": name}, "status": {"phase": "Running"}} for name in gateways]
        items.append({"metadata": {"name": "gone"}, "status": {"phase": "Failed"}})
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

    async def status(request: web.Request) -> web.Response:
        answer = gateways[request.match_info["pod"]]
        if isinstance(answer, int):
            return web.json_response({"message": "somebody may not", "reason": "Forbidden"}, status=answer)
        return web.json_response(answer)

    routes = {
        "/api/v1/namespaces/team-a/services/qwen": service,
        "/api/v1/namespaces/tide/pods": pods,
        "/api/v1/namespaces/tide/pods/{pod}:9090/proxy/status": status,
    }
    async with serving(routes) as port:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{port}"
        async with KubeClient(configuration) as client:
            yield client


async def test_the_arbiter_has_the_queue_and_the_latest_request_counts_wherever_it_was_heard() -> None:
    first = gateway(True, waiting=3, inFlight=8, idleSeconds=40.0, executionSeconds=2.5)
    second = gateway(False, waiting=1, inFlight=1, idleSeconds=7.0, executionSeconds=9.0)
    async with cluster(a=first, b=second) as client:
        load = await asked_load(client, "team-a", "qwen", lambda: NOW)
    assert load == Load(waiting=3, in_flight=8, last_activity=NOW - 7.0, execution_seconds=2.5)


async def test_gateways_that_never_had_a_request_know_of_no_activity() -> None:
    async with cluster(a=gateway(True, waiting=0, inFlight=0, idleSeconds=None)) as client:
        assert await asked_load(client, "team-a", "qwen", lambda: NOW) == Load()


async def test_one_gateway_that_may_not_be_asked_makes_the_sum_worthless() -> None:
    async with cluster(a=gateway(True, waiting=0, inFlight=0), b=403) as client:
        with pytest.raises(UnheardError, match="somebody may not"):
            await asked_load(client, "team-a", "qwen", lambda: NOW)


@pytest.mark.parametrize(
    ("host", "why"),
    [("gateway.example.com", "leads to gateway.example.com, not to a Service"), (HOST, "none runs")],
)
async def test_where_no_gateway_is_found_it_says_why(host: str, why: str) -> None:
    async with cluster(host) as client:
        with pytest.raises(UnheardError, match=why):
            await asked_load(client, "team-a", "qwen", lambda: NOW)
