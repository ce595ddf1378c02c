"""/slo/<namespace>/<name> of the admin port: what the operator judges a service by."""

from __future__ import annotations

import httpx

from tests.component.gateway.harness import KEY, HandSubstrate, config, engine, gateway, metric, ready, worker
from tidegate.domain.service import ServiceView
from tidegate.domain.slo_reading import read_slo

CHAT = {"model": "m", "messages": [], "max_tokens": 3}


async def test_it_tells_what_was_counted_as_the_metrics_do() -> None:
    async with engine() as one:
        view = ServiceView(config(), (worker(one.port),))
        async with gateway(HandSubstrate(view)) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            for _ in range(3):
                answer = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
                assert answer.status_code == 200
            told = (await client.get(f"http://127.0.0.1:{running.admin_port}/slo/{KEY}")).json()
            again = (await client.get(f"http://127.0.0.1:{running.admin_port}/slo/{KEY}")).json()
            counted = metric(running, "gateway_request_seconds_count", service=KEY.name)
    reading = read_slo(told)
    assert told["service"] == str(KEY)
    assert told["requests"] == {"completed": {"200": 3}}
    assert (reading.tally.good, reading.tally.bad) == (3, 0)
    assert reading.tally.histogram("total").total == 3
    assert counted == 3
    assert again["instance"] == told["instance"]
    assert reading.uptime >= 0


async def test_a_service_that_nobody_knows_and_a_path_that_names_none_are_not_found() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        for path in ("/slo/team-b/other", "/slo/", "/slo/qwen", "/slo/a/b/c", "/slo/%C3%BC/x"):
            answer = await client.get(f"http://127.0.0.1:{running.admin_port}{path}")
            assert answer.status_code == 404, path
        traffic = await client.get(f"http://127.0.0.1:{running.port}/slo/{KEY}")
        assert traffic.status_code == 404
