"""What a client reads when its request is not taken."""

from __future__ import annotations

import asyncio
import json

import httpx

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    Log,
    config,
    connection,
    engine,
    engine_says,
    gateway,
    post,
    read_answer,
    ready,
    until,
    worker,
)
from tidegate.domain.service import ServiceKey, ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}


async def test_a_429_is_read_by_a_client_that_is_still_sending_four_megabytes_fifty_times_of_fifty() -> None:
    """The service is full. By Host it is refused before its body, which the client goes on sending."""
    substrate = HandSubstrate(ServiceView(config(max_depth=1)))
    body = json.dumps({**CHAT, "padding": "x" * 4_000_000}).encode()
    read = 0
    async with gateway(substrate) as running, connection(running.port) as (_, holder):
        holder.write(post(json.dumps(CHAT).encode()))
        await until(lambda: running.fleet.services[KEY].flow.depth == 1)
        for _ in range(50):
            async with connection(running.port) as (reader, writer):
                writer.write(post(body, host="qwen.team-a"))
                await writer.drain()  # all of it goes out before the answer is looked at
                answer = await read_answer(reader)
                assert json.loads(answer.body)["error"]["code"] == "overload"
                read += answer.status == 429
    assert read == 50


async def test_an_unknown_service_is_404_in_openais_shape() -> None:
    async with gateway(HandSubstrate()) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}"
        by_model = await client.post(f"{url}/v1/chat/completions", json={**CHAT, "model": "nope"})
        by_path = await client.post(f"{url}/team-a/nope/v1/chat/completions", json=CHAT)
        nameless = await client.post(f"{url}/v1/chat/completions", json={"messages": []})
    for answer in (by_model, by_path, nameless):
        assert answer.status_code == 404
        assert set(answer.json()["error"]) == {"message", "type", "code", "param", "reason"}
        assert answer.json()["error"]["code"] == "model_not_found"
    assert "nope" in by_model.json()["error"]["message"]
    assert "team-a/nope" in by_path.json()["error"]["message"]


async def test_a_body_that_is_no_json_is_400_and_says_so() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        for content, what in ((b"{", "JSON"), (b"[1]", "object"), (b'{"model": 5}', "model"), (b"", "JSON")):
            answer = await client.post(url, content=content)
            assert answer.status_code == 400
            assert answer.json()["error"]["type"] == "invalid_request_error"
            assert what in answer.json()["error"]["message"]


async def test_a_body_over_the_services_limit_is_413_by_length_and_by_chunks() -> None:
    limit = 1024 * 1024
    substrate = HandSubstrate(ServiceView(config(max_bytes=limit)))
    big = json.dumps({**CHAT, "padding": "x" * limit}).encode()

    async def pieces() -> object:
        for start in range(0, len(big), 65536):
            yield big[start : start + 65536]

    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}"
        for path in ("/v1/chat/completions", "/team-a/qwen/v1/chat/completions"):
            whole = await client.post(url + path, content=big)
            chunked = await client.post(url + path, content=pieces())  # type: ignore[arg-type]
            for answer in (whole, chunked):
                assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
                assert str(limit) in answer.json()["error"]["message"]
        assert running.fleet.services[KEY].flow.bytes_held == 0


async def test_the_bodies_of_all_services_together_are_bounded() -> None:
    other = ServiceKey("team-b", "other")
    substrate = HandSubstrate(ServiceView(config()), ServiceView(config(other, served_names=("o",))))
    body = json.dumps({**CHAT, "padding": "x" * 60_000}).encode()
    async with gateway(substrate, max_held_bytes=100_000) as running, connection(running.port) as (_, holder):
        holder.write(post(body))
        await until(lambda: running.fleet.services[KEY].flow.waiting == 1)
        for host in ("other.team-b", "gateway"):  # where it comes whole, and by the model
            async with connection(running.port) as (reader, writer):
                writer.write(post(body.replace(b'"m"', b'"o"'), host=host))
                error = json.loads((answer := await read_answer(reader)).body)["error"]
            assert (answer.status, error["code"], error["reason"]) == (429, "overload", "bytes")
            assert "this gateway" in error["message"]
        assert running.traffic.held == len(body)
        holder.close()
        await until(lambda: running.traffic.held == 0)


async def test_a_full_queue_admits_its_limit_and_refuses_the_next_with_a_retry_after() -> None:
    substrate = HandSubstrate(ServiceView(config(max_depth=3)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        held = [asyncio.create_task(client.post(url, json=CHAT)) for _ in range(3)]
        await until(lambda: running.fleet.services[KEY].flow.depth == 3)
        refused = await client.post(url, json=CHAT)
        for task in held:
            task.cancel()
        await until(lambda: running.fleet.services[KEY].flow.depth == 0)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overload")
    assert refused.headers["retry-after"] == "60"  # nothing has drained yet, so nothing is known


async def test_a_fixed_retry_after_is_told_as_it_stands() -> None:
    substrate = HandSubstrate(ServiceView(config(max_depth=1, retry_after_seconds=7)))
    async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        held = asyncio.create_task(client.post(url, json=CHAT))
        await until(lambda: running.fleet.services[KEY].flow.depth == 1)
        refused = await client.post(url, json=CHAT)
        held.cancel()
    assert refused.headers["retry-after"] == "7"


async def test_waiting_too_long_for_a_busy_worker_is_429_queue_timeout() -> None:
    async with engine(tokens_per_second="1") as busy:
        view = ServiceView(config(max_concurrency=1, wait_timeout_seconds=0.1), (worker(busy.port),))
        async with gateway(HandSubstrate(view)) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
            held = asyncio.create_task(client.post(url, json={**CHAT, "max_tokens": 1000}))
            await until(lambda: running.fleet.services[KEY].flow.in_flight == 1)
            answer = await client.post(url, json=CHAT)
            held.cancel()
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_timeout")
    assert answer.json()["error"]["message"].startswith("Job timeout in queue")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_worker_that_runs_too_long_is_504_and_its_work_is_aborted() -> None:
    async with engine(request_seconds="60") as slow:
        view = ServiceView(config(execution_timeout_seconds=1), (worker(slow.port),))
        async with gateway(HandSubstrate(view)) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            answer = await client.post(f"http://127.0.0.1:{running.port}/v1/chat/completions", json=CHAT)
            assert running.fleet.services[KEY].flow.in_flight == 0
            await engine_says(slow.port, 'engine_sim:requests_aborted_total{model_name="m"} 1')
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "execution_timeout")


async def test_a_body_that_stops_coming_is_408_and_frees_its_place() -> None:
    view = ServiceView(config())
    async with (
        gateway(HandSubstrate(view), body_timeout=2.0) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(post(b"x" * 100, host="qwen.team-a")[:-50])
        await until(lambda: running.fleet.services[KEY].flow.reading == 1)
        answer = await read_answer(reader)
        assert running.fleet.services[KEY].flow.depth == 0
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (408, "request_timeout")


async def test_a_body_that_comes_in_drops_is_408_although_it_never_stops() -> None:
    view = ServiceView(config())
    async with (
        gateway(HandSubstrate(view), body_timeout=0.5) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(post(b"x" * 1000, host="qwen.team-a")[:-1000])
        answer = asyncio.create_task(read_answer(reader))
        for _ in range(60):
            if answer.done():
                break
            writer.write(b"x")
            await asyncio.sleep(0.05)
        assert (await answer).status == 408
        assert running.fleet.services[KEY].flow.depth == 0


async def test_a_header_that_stops_coming_is_408() -> None:
    async with (
        gateway(HandSubstrate(), header_timeout=0.1) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: g")
        assert (await read_answer(reader)).status == 408
        assert await reader.read() == b""


async def test_a_continue_is_sent_only_to_what_is_admitted() -> None:
    body = json.dumps(CHAT).encode()
    head = post(body, "/v1/chat/completions", "expect: 100-continue", host="qwen.team-a")[: -len(body)]
    async with engine() as quick:
        view = ServiceView(config(max_depth=1), (worker(quick.port),))
        async with gateway(HandSubstrate(view)) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(head)
            assert (await read_answer(reader)).status == 100
            async with connection(running.port) as (other, second):
                second.write(head)
                assert (await read_answer(other)).status == 429
            writer.write(body)
            assert (await read_answer(reader)).status == 200


async def test_every_request_is_one_line_of_the_access_log_without_its_secrets() -> None:
    log = Log()
    substrate = HandSubstrate(ServiceView(config(cold_start_timeout_seconds=0.01)))
    async with gateway(substrate, log) as running, httpx.AsyncClient(timeout=60) as client:
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions?key=hidden"
        headers = {"authorization": "Bearer secret", "x-request-id": "mine-1"}
        await client.post(url, json={**CHAT, "user": "private"}, headers=headers)
        await client.post(url, content=b'{"secret', headers=headers)
    lines = [json.loads(line) for line in log.data.splitlines()]
    assert [line["outcome"] for line in lines] == ["evicted_cold_start_timeout", "rejected_invalid"]
    assert [line["code"] for line in lines] == [503, 400]
    assert lines[0]["id"] == "mine-1"
    assert lines[0]["service"] == "team-a/qwen"
    assert not any(word in bytes(log.data) for word in (b"secret", b"private", b"hidden"))
