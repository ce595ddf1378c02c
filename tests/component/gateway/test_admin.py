"""The admin port: demand for the operator, status for people, health for the kubelet."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from tests.component.gateway.harness import KEY, HandSubstrate, config, connection, gateway, post, until
from tidegate.domain.service import ServiceKey, ServiceView
from tidegate.gateway.substrate import Sink

OTHER = ServiceKey("team-b", "other")


async def test_demand_tells_every_service_then_that_it_is_synced_then_each_change() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with (
        gateway(substrate) as running,
        httpx.AsyncClient(timeout=60) as client,
        client.stream("GET", f"http://127.0.0.1:{running.admin_port}/demand") as feed,
    ):
        assert feed.headers["content-type"] == "application/x-ndjson"
        lines = feed.aiter_lines()
        line = {"service": "team-a/qwen", "waiting": 0, "inFlight": 0, "leaving": 0, "arrivals": 0}
        line |= {"idleSeconds": None, "executionSeconds": None}
        assert json.loads(await anext(lines)) == line
        assert json.loads(await anext(lines)) == {"synced": True}
        async with connection(running.port) as (_, writer):
            writer.write(post(b'{"model": "m"}') + post(b'{"model": "m"}'))
            changed = {**line, "waiting": 1, "idleSeconds": 0.0, "arrivals": 1, "starting": True}
            assert json.loads(await anext(lines)) == changed
        gone = json.loads(await anext(lines))
        assert (gone["waiting"], gone["arrivals"]) == (0, 1)
        assert gone["idleSeconds"] >= 0
        while "starting" in gone:  # the wake is given up a moment later
            gone = json.loads(await anext(lines))
        substrate.show(ServiceView(config(OTHER)))
        assert json.loads(await anext(lines))["service"] == "team-b/other"
        substrate.remove(OTHER)
        assert json.loads(await anext(lines)) == {"service": "team-b/other", "removed": True}


async def test_changes_are_coalesced_to_ten_batches_a_second_at_most() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with (
        gateway(substrate) as running,
        httpx.AsyncClient(timeout=60) as client,
        client.stream("GET", f"http://127.0.0.1:{running.admin_port}/demand") as feed,
    ):
        lines = feed.aiter_lines()
        await anext(lines), await anext(lines)
        begun = time.monotonic()
        for _ in range(30):
            async with connection(running.port) as (_, writer):
                writer.write(post(b'{"model": "m"}'))
                await until(lambda: running.fleet.services[KEY].flow.depth == 1)
            await until(lambda: running.fleet.services[KEY].flow.depth == 0)
        seen = 0
        while True:
            seen += 1
            if json.loads(await anext(lines))["arrivals"] == 30:
                break
        seconds = time.monotonic() - begun
    assert seen <= 10 * seconds + 2
    assert seen < 60, "there were so many changes"


async def test_readiness_waits_for_the_first_listing_and_ends_with_the_drain() -> None:
    substrate = HandSubstrate()
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        for port in (running.port, running.admin_port):
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
            assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        running.fleet.synced_once = False
        url = f"http://127.0.0.1:{running.port}"
        early = await client.post(f"{url}/v1/chat/completions", json={"model": "m"})
        assert (await client.get(f"{url}/readyz")).status_code == 503
        running.fleet.synced_once = True
        await asyncio.wait_for(running.drain(), 60)
        assert (await client.get(f"http://127.0.0.1:{running.admin_port}/readyz")).status_code == 503
    assert (early.status_code, early.json()["error"]["code"]) == (503, "gateway_not_ready")


async def test_status_says_what_a_service_holds_and_why_it_cannot_be_woken() -> None:
    substrate = HandSubstrate(ServiceView(config(max_depth=5)))
    substrate.refusal = "no rights"
    async with (
        gateway(substrate) as running,
        httpx.AsyncClient(timeout=60) as client,
        connection(running.port) as (_, writer),
    ):
        writer.write(post(b'{"model": "m"}'))
        await until(lambda: running.fleet.services[KEY].flow.wake_refusal is not None)
        status = (await client.get(f"http://127.0.0.1:{running.admin_port}/status")).json()
    (service,) = status["services"]
    assert service["service"] == "team-a/qwen"
    assert (service["depth"], service["maxDepth"], service["bytesHeld"]) == (1, 5, 14)
    assert (service["workerState"], service["wakeRefused"]) == ("idle", "no rights")


async def test_head_is_answered_as_get_without_the_body_on_every_path_of_both_ports() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        admin = [f":{running.admin_port}/{path}" for path in ("healthz", "readyz", "status", "metrics")]
        paths = ("healthz", "readyz", "health", "team-a/qwen/health", "v1/models", "v1/models/m")
        for url in (*admin, *(f":{running.port}/{path}" for path in paths)):
            got = await client.get(f"http://127.0.0.1{url}")
            head = await client.head(f"http://127.0.0.1{url}")
            assert (head.status_code, head.content, head.headers) == (200, b"", got.headers)
            assert got.content


async def test_health_says_what_the_workers_do_of_all_services_or_of_one() -> None:
    substrate = HandSubstrate(ServiceView(config()), ServiceView(config(OTHER, suspended=True)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}"
        paths = ("/health", "/team-a/qwen/health", "/team-b/other/health")
        said = [(await client.get(url + path)).json() for path in paths]
        by_host = (await client.get(f"{url}/health", headers={"host": "other.team-b"})).json()
    assert said[0] == {"status": "ok", "worker_state": "idle", "batch_window_ms": 0}
    assert [one["worker_state"] for one in said] == ["idle", "idle", "suspended"]
    assert by_host == said[2]


async def test_the_admin_port_serves_no_api_and_the_traffic_port_no_metrics() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        admin = await client.post(
            f"http://127.0.0.1:{running.admin_port}/v1/completions", json={"model": "m"}
        )
        traffic = await client.get(f"http://127.0.0.1:{running.port}/metrics")
    assert (admin.status_code, traffic.status_code) == (404, 404)


async def test_a_defect_in_one_sweep_is_logged_and_the_next_sweep_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sweeps = 0

    def broken(_now: float) -> None:
        nonlocal sweeps
        sweeps += 1
        raise RuntimeError("a defect")

    async with gateway(HandSubstrate()) as running:
        monkeypatch.setattr(running.admin, "sweep", broken)
        await until(lambda: sweeps >= 2)
    record = next(r for r in caplog.records if r.levelname == "ERROR")
    assert record.exc_info is not None
    assert "a defect" in caplog.text


async def test_a_watch_that_is_cancelled_from_within_begins_again() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    watches = 0

    async def cancelled_once(sink: Sink) -> None:
        nonlocal watches
        watches += 1
        sink.synced()
        if watches == 1:
            raise asyncio.CancelledError
        await asyncio.Event().wait()

    substrate.watch = cancelled_once  # type: ignore[method-assign]
    async with gateway(substrate):
        await until(lambda: watches == 2)


async def test_health_fails_when_a_task_that_the_gateway_needs_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fatal(_now: float) -> None:
        raise asyncio.CancelledError

    async with gateway(HandSubstrate()) as running, httpx.AsyncClient(timeout=60) as client:
        monkeypatch.setattr(running.admin, "sweep", fatal)
        await until(lambda: not running.traffic.alive())
        for port in (running.port, running.admin_port):
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 500


async def test_a_service_deleted_while_no_watch_ran_is_gone_when_the_next_has_listed_all() -> None:
    substrate = HandSubstrate(ServiceView(config()), ServiceView(config(OTHER)))
    watch, fail = substrate.watch, asyncio.Event()

    async def failing_once(sink: Sink) -> None:
        telling = asyncio.ensure_future(watch(sink))
        await fail.wait()
        telling.cancel()
        substrate.watch = watch  # type: ignore[method-assign]
        raise RuntimeError("a defect")

    substrate.watch = failing_once  # type: ignore[method-assign]
    async with gateway(substrate) as running:
        assert set(running.fleet.services) == {KEY, OTHER}
        kept = running.fleet.services[KEY]
        del substrate.views[OTHER]
        fail.set()
        await until(lambda: set(running.fleet.services) == {KEY})
        assert running.fleet.services[KEY] is kept
