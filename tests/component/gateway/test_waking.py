"""A sleeping service: who waits, who wakes, who is told to come again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import replace

import httpx

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    engine,
    gateway,
    metric,
    post,
    read_answer,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceKey, ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
BODY = json.dumps(CHAT).encode()


async def test_twenty_requests_at_once_to_a_sleeping_service_get_twenty_answers_and_one_wake() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with contextlib.AsyncExitStack() as engines:

        async def start(key: ServiceKey) -> None:
            started = await engines.enter_async_context(engine(start_delay_seconds="0.3"))
            substrate.show(ServiceView(config(), (worker(started.port),)))

        substrate.on_wake = start
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            answers = await asyncio.gather(*(client.post(url, json=CHAT) for _ in range(20)))
            record = running.fleet.services[KEY].starts.latest
    assert [answer.status_code for answer in answers] == [200] * 20
    assert substrate.wakes == [KEY]
    assert record is not None
    assert record.settled
    assert list(record.points) == ["created", "scheduled", "started", "loaded", "first_byte"]
    assert list(record.points.values()) == sorted(record.points.values())


async def test_a_worker_that_loads_for_long_is_woken_once_and_probed_until_it_answers() -> None:
    """The address is there from the start, the port opens later: no second wake while a worker is seen."""
    substrate = HandSubstrate(ServiceView(config()))
    async with engine() as loaded:

        async def start(key: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(1, stage="scheduled"),)))

        substrate.on_wake = start
        async with gateway(substrate, wake_interval=0.01) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: bool(substrate.wakes))
            for _ in range(20):
                await asyncio.sleep(0.01)
            assert len(substrate.wakes) == 1
            substrate.show(ServiceView(config(), (worker(loaded.port),)))
            assert (await asked).status_code == 200


async def test_no_worker_within_the_cold_start_budget_is_503_with_the_reason_and_a_retry_after() -> None:
    substrate = HandSubstrate(ServiceView(config(cold_start_timeout_seconds=1)))
    substrate.refusal = "the API server is away"
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
    error = answer.json()["error"]
    assert answer.status_code == 503
    assert error["code"] == "cold_start_timeout"
    assert error["reason"] == "the API server is away"
    assert answer.headers["retry-after"] == "60"
    assert "coldstart;dur=" in answer.headers["server-timing"]


async def test_a_wake_that_is_repeated_and_changes_nothing_is_not_counted() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    substrate.counts_each = False
    async with gateway(substrate, wake_interval=0.01) as running, connection(running.port) as (_, writer):
        writer.write(post(b'{"model": "m"}'))
        await until(lambda: len(substrate.wakes) > 5)
        assert metric(running, "gateway_wakes_total") == 1


async def test_a_refused_wake_is_asked_for_again_while_requests_wait() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    substrate.refusal = "not yet"
    async with engine() as loaded, gateway(substrate, wake_interval=0.02) as running:

        async def start(key: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(loaded.port),)))

        async with httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: len(substrate.wakes) >= 3)
            substrate.refusal, substrate.on_wake = "", start
            assert (await asked).status_code == 200


async def test_a_terminating_worker_gets_nothing_new_and_does_not_keep_a_service_from_being_woken() -> None:
    async with engine() as leaving:
        view = ServiceView(config(), (worker(leaving.port, ready=True, terminating=True),))
        substrate = HandSubstrate(view)
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: bool(substrate.wakes))
            asked.cancel()
            metrics = (await client.get(f"http://127.0.0.1:{leaving.port}/metrics")).text
    assert 'finished_reason="stop"} 0' in metrics


async def test_a_service_whose_only_worker_vanishes_while_requests_wait_is_woken_in_the_same_moment() -> None:
    starting = ServiceView(config(), (worker(1, stage="scheduled"),))
    substrate = HandSubstrate(starting)
    async with gateway(substrate) as running, connection(running.port) as (_, writer):
        writer.write(post(BODY))
        await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
        assert substrate.wakes == []
        substrate.show(ServiceView(config()))
        await asyncio.sleep(0)  # nothing but what is ready to run: no sweep comes in between
        assert substrate.wakes == [KEY]


async def test_a_request_has_a_worker_that_was_probed_calmly_probed_at_once() -> None:
    """It is loaded while nobody waits, and the next calm probe would come an hour later."""
    probed, open_now = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        probed.set()
        status = b"200 OK" if open_now.is_set() else b"503 Service Unavailable"
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with (
            gateway(substrate, calm_probe_interval=3600.0) as running,
            connection(running.port) as (_, writer),
        ):
            await until(probed.is_set)
            await asyncio.sleep(0.1)  # its answer has come, and the calm has begun
            open_now.set()
            writer.write(post(BODY))
            await ready(running)


async def test_a_malformed_body_wakes_nobody() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"http://127.0.0.1:{running.port}/team-a/qwen/v1/chat/completions", content=b'{"model": '
        )
    assert answer.status_code == 400
    assert substrate.wakes == []


async def test_the_list_of_models_wakes_nobody() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        for path in (
            "/v1/models",
            "/team-a/qwen/v1/models",
            "/v1/models/m",
            "/health",
            "/team-a/qwen/health",
        ):
            assert (await client.get(f"http://127.0.0.1:{running.port}{path}")).status_code == 200
    assert substrate.wakes == []


async def test_a_suspended_service_answers_503_at_once_and_is_not_woken() -> None:
    substrate = HandSubstrate(ServiceView(config(suspended=True)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "suspended")
    assert substrate.wakes == []


async def test_suspending_a_service_refuses_what_waits_for_it() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        asked = asyncio.create_task(
            client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
        )
        await until(lambda: bool(substrate.wakes))
        substrate.show(ServiceView(config(suspended=True)))
        answer = await asked
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "service_removed")


async def test_a_body_that_ends_after_its_service_was_deleted_is_refused_and_wakes_nobody() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, connection(running.port) as (reader, writer):
        service = running.fleet.services[KEY]
        whole = post(BODY, host="qwen.team-a")
        writer.write(whole[:-1])
        await until(lambda: service.flow.depth == 1)
        substrate.remove(KEY)
        writer.write(whole[-1:])
        answer = await read_answer(reader)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "service_removed")
    assert substrate.wakes == []
    assert service.flow.depth == 0


async def test_a_request_whose_worker_fails_after_its_service_was_deleted_is_refused() -> None:
    fail = asyncio.Event()

    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await fail.wait()
        writer.transport.abort()

    async with scripted(script) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            service = running.fleet.services[KEY]
            writer.write(post(BODY))
            await until(lambda: service.flow.in_flight == 1)
            substrate.remove(KEY)
            fail.set()
            answer = await read_answer(reader)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "service_removed")
    assert service.flow.depth == 0


async def test_a_workers_host_that_is_no_host_is_a_worker_that_does_not_answer() -> None:
    named = worker(80, host="a..b", ready=True)
    substrate = HandSubstrate(ServiceView(config(cold_start_timeout_seconds=1), (named,)))
    async with gateway(substrate) as running, connection(running.port) as (reader, writer):
        writer.write(post(BODY))
        answer = await read_answer(reader)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "cold_start_timeout")


async def test_a_request_to_a_service_whose_workers_others_count_is_held_and_wakes_nobody() -> None:
    substrate = HandSubstrate(ServiceView(config(wakes=False, cold_start_timeout_seconds=0.4)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "cold_start_timeout")
    assert substrate.wakes == []


async def test_only_a_post_wakes_a_sleeping_service() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        for path in ("/metrics", "/favicon.ico", "/docs", "/version", "/v1/responses/1"):
            answer = await client.get(f"http://127.0.0.1:{running.port}/team-a/qwen{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
            answer = await client.get(
                f"http://127.0.0.1:{running.port}{path}", headers={"host": "qwen.team-a"}
            )
            assert answer.status_code == 404
        assert running.fleet.services[KEY].arrivals == 0
    assert substrate.wakes == []


async def test_the_workers_own_numbers_are_not_for_clients_and_its_other_paths_are() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port, ready=True),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}"
            for path in ("/metrics", "/metrics/", "/%6detrics", "/metrics?name=x"):
                assert (await client.get(f"{url}/team-a/qwen{path}")).status_code == 404
            assert (await client.post(f"{url}/metrics", json=CHAT)).status_code == 404
            assert (await client.get(f"{url}/team-a/qwen/version")).status_code == 200


async def test_while_kubelets_reject_the_workers_nobody_is_woken_and_retry_after_is_the_rest() -> None:
    resting = config(cold_start_timeout_seconds=0.05, backoff_until=time.time() + 1000)
    substrate = HandSubstrate(ServiceView(resting))
    async with gateway(substrate, wake_interval=0.01) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        answer = await client.post(url, json=CHAT)
        fixed = replace(resting, retry_after_seconds=7)
        substrate.show(ServiceView(fixed))
        second = await client.post(url, json=CHAT)
    assert answer.status_code == second.status_code == 503
    assert 900 < int(answer.headers["retry-after"]) <= 1000
    assert "status.scaling.backoffUntil" in answer.json()["error"]["reason"]
    assert second.headers["retry-after"] == "7"
    assert substrate.wakes == []


async def test_who_waits_in_vain_for_a_start_that_is_held_up_is_told_why_and_when_the_next_try_is() -> None:
    view = ServiceView(
        config(cold_start_timeout_seconds=0.05), (worker(1),), "EngineFailed: exit code 2", time.time() + 1000
    )
    substrate = HandSubstrate(view)
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        answer = await client.post(url, json=CHAT)
        substrate.show(replace(view, next_start=0.0))  # the next try is under way
        second = await client.post(url, json=CHAT)
    assert answer.status_code == second.status_code == 503
    assert answer.json()["error"]["reason"] == "EngineFailed: exit code 2"
    assert 200 < int(answer.headers["retry-after"]) <= 300  # no pause between two starts is longer
    assert second.headers["retry-after"] == "60"


async def test_a_request_that_waits_until_the_pause_is_over_wakes_the_service() -> None:
    substrate = HandSubstrate(ServiceView(config(backoff_until=time.time() + 0.3)))
    async with engine() as loaded, gateway(substrate, wake_interval=0.02) as running:

        async def start(key: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(loaded.port),)))

        substrate.on_wake = start
        async with httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            assert (await client.post(url, json=CHAT)).status_code == 200
    assert substrate.wakes == [KEY]


async def test_a_pause_that_is_lifted_does_not_keep_who_waits() -> None:
    substrate = HandSubstrate(ServiceView(config(backoff_until=time.time() + 1000)))
    async with engine() as loaded, gateway(substrate, wake_interval=0.02) as running:

        async def start(key: ServiceKey) -> None:
            substrate.show(ServiceView(config(), (worker(loaded.port),)))

        substrate.on_wake = start
        async with httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            asked = asyncio.create_task(client.post(url, json=CHAT))
            await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
            substrate.show(ServiceView(config()))
            assert (await asked).status_code == 200
