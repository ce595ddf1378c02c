"""Workers that fail, or say nothing: what is sent again, what is cut, and which worker is left alone."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    gateway,
    metric,
    post,
    ready,
    scripted,
    until,
    worker,
)
from tidegate.domain.service import ServiceView

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PATH = "/v1/chat/completions"


class Worker:
    """A scripted worker that remembers how often it was asked, and does at each request what it is told."""

    def __init__(self, *steps: bytes | None, then: bytes | None = OK) -> None:
        self.calls = 0
        self.left = asyncio.Event()  # the gateway closed a connection on which it waited
        self._steps, self._then = list(steps), then

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        step = self._steps.pop(0) if self._steps else self._then
        if step is None:  # says nothing
            await reader.read()
            self.left.set()
        elif step:
            writer.write(step)
        else:
            writer.close()


async def test_a_worker_that_begins_no_answer_in_time_has_failed_and_the_request_goes_again() -> None:
    stuck = Worker(None)
    async with scripted(stuck) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with (
            gateway(substrate, first_byte_timeout=3.0) as running,
            httpx.AsyncClient(timeout=60) as client,
        ):
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json=CHAT)
            assert running.fleet.services[KEY].flow.depth == 0
            await stuck.left.wait()  # the engine was told that nobody waits
    assert (got.status_code, stuck.calls) == (200, 2)


async def test_the_last_try_that_begins_no_answer_is_502_and_says_so() -> None:
    async with scripted(Worker(then=None)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with (
            gateway(substrate, first_byte_timeout=0.3, max_tries=1) as running,
            httpx.AsyncClient(timeout=60) as client,
        ):
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json=CHAT)
    assert (got.status_code, got.json()["error"]["code"]) == (502, "worker_failed")
    assert got.json()["error"]["reason"] == "no answer began within 0.3 s"


async def test_a_stream_that_goes_silent_ends_with_an_error_event_and_is_counted() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"9\r\ndata: 1\n\n\r\n")
        await reader.read()

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with (
            gateway(substrate, silence_timeout=0.3) as running,
            httpx.AsyncClient(timeout=60) as client,
        ):
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json={**CHAT, "stream": True})
            assert metric(running, "gateway_requests_total", outcome="worker_died", code="502") == 1
            assert running.fleet.services[KEY].flow.depth == 0
    events = [line.removeprefix("data: ") for line in got.text.splitlines() if line.startswith("data: ")]
    error = json.loads(events[1])["error"]
    assert (events[0], error["code"]) == ("1", "worker_died")
    assert error["reason"] == "nothing came for 0.3 s in the middle of the answer"


async def test_a_worker_that_waits_for_a_slow_reader_is_not_silent() -> None:
    size = 8 * 1024 * 1024
    go_on = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * (size - 1))
        await writer.drain()
        await go_on.wait()
        writer.write(b"y")

    async with scripted(answer) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate, silence_timeout=2.5) as running:
            await ready(running)
            async with connection(running.port) as (reader, writer):
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                writer.write(post(json.dumps(CHAT).encode()))
                await until(lambda: any(c.write_paused for c in running.traffic.connections))
                await asyncio.sleep(5.5)  # more than twice the limit
                go_on.set()
                writer.transport.resume_reading()  # type: ignore[attr-defined]
                await reader.readuntil(b"\r\n\r\n")
                assert len(await reader.readexactly(size)) == size


async def test_a_service_that_wants_no_second_sending_gets_502_after_the_first() -> None:
    broken = Worker(b"")
    async with scripted(broken) as port:
        substrate = HandSubstrate(ServiceView(config(retry_unstarted=False), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json=CHAT)
    assert (got.status_code, got.json()["error"]["code"], broken.calls) == (502, "worker_failed", 1)


async def test_also_on_a_connection_that_was_used_before_it_is_not_sent_again() -> None:
    broken = Worker(OK, b"")
    async with scripted(broken) as port:
        substrate = HandSubstrate(ServiceView(config(retry_unstarted=False), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}{PATH}"
            codes = [(await client.post(url, json=CHAT)).status_code for _ in range(2)]
    assert (codes, broken.calls) == ([200, 502], 2)


@pytest.mark.parametrize("again", [True, False])
async def test_a_request_that_never_left_goes_to_another_worker_and_costs_no_try(*, again: bool) -> None:
    good = Worker()
    async with scripted(good) as port, asyncio.timeout(120):
        gone = [
            worker(1, uid=f"gone-{number}", ready=True, host=f"127.0.0.{number + 2}") for number in range(5)
        ]
        service = config(retry_unstarted=again)
        substrate = HandSubstrate(ServiceView(service, (*gone, worker(port, uid="good", ready=True))))
        async with gateway(substrate, max_tries=1) as running, httpx.AsyncClient(timeout=60) as client:
            url = f"http://127.0.0.1:{running.port}{PATH}"
            answers = [await client.post(url, json=CHAT) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 8
    assert good.calls == 8


async def test_a_worker_that_answers_probes_and_fails_requests_is_ejected_and_the_other_takes_all() -> None:
    bad, good = Worker(then=b""), Worker()
    async with scripted(bad) as bad_port, scripted(good) as good_port:
        workers = (worker(bad_port, uid="bad"), worker(good_port, uid="good"))
        substrate = HandSubstrate(ServiceView(config(), workers))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            service = running.fleet.services[KEY]
            await until(lambda: len(service.flow.endpoints) == 2)
            url = f"http://127.0.0.1:{running.port}{PATH}"
            answers = [await client.post(url, json=CHAT) for _ in range(60)]
            status = (await client.get(f"http://127.0.0.1:{running.admin_port}/status")).json()
    assert [answer.status_code for answer in answers] == [200] * 60
    assert good.calls == 60
    assert bad.calls <= 3  # at first, after the first probe, and perhaps once on trial
    (ejected,) = status["services"][0]["ejected"]
    assert ejected["address"] == f"127.0.0.1:{bad_port}"
    assert ejected["failures"] == bad.calls


async def test_what_waits_for_the_only_worker_is_tried_one_by_one_after_a_while_and_then_all_of_it() -> None:
    calls, go_on = 0, asyncio.Event()

    async def sick(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls <= 10:  # all five, and all five again after the first probe
            writer.close()
        else:
            await go_on.wait()
            writer.write(OK)

    async with scripted(sick) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            flow = running.fleet.services[KEY].flow
            url = f"http://127.0.0.1:{running.port}{PATH}"
            asked = [asyncio.create_task(client.post(url, json=CHAT)) for _ in range(5)]
            await until(lambda: calls == 11)
            assert (flow.in_flight, flow.waiting) == (1, 4)
            go_on.set()
            answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * 5
    assert calls == 15


async def test_a_worker_that_answers_errors_is_left_alone_where_another_one_works() -> None:
    wrong = Worker(then=b"HTTP/1.1 500 Wrong\r\ncontent-length: 2\r\n\r\nno")
    good = Worker()
    async with scripted(wrong) as wrong_port, scripted(good) as good_port:
        workers = (worker(wrong_port, uid="wrong"), worker(good_port, uid="good"))
        async with (
            gateway(HandSubstrate(ServiceView(config(), workers))) as running,
            httpx.AsyncClient(timeout=60) as client,
        ):
            await until(lambda: len(running.fleet.services[KEY].flow.endpoints) == 2)
            url = f"http://127.0.0.1:{running.port}{PATH}"
            codes = [(await client.post(url, json=CHAT)).status_code for _ in range(60)]
    assert codes.count(500) == wrong.calls  # an answer is never sent again
    assert wrong.calls < 15
    assert good.calls == 60 - wrong.calls


async def test_the_errors_of_the_only_worker_are_passed_on_as_they_are() -> None:
    wrong = Worker(then=b"HTTP/1.1 500 Wrong\r\ncontent-length: 2\r\n\r\nno")
    async with scripted(wrong) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            url = f"http://127.0.0.1:{running.port}{PATH}"
            answers = [await client.post(url, json=CHAT) for _ in range(20)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(500, b"no")}


@pytest.mark.parametrize("count", [101, 100_000])
async def test_a_flood_of_interim_answers_is_a_failure_and_not_a_hang(count: int) -> None:
    async with scripted(Worker(then=b"HTTP/1.1 103 Early Hints\r\n\r\n" * count)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate, max_tries=1) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json=CHAT)
    assert got.json()["error"]["reason"] == "the worker sent more than 100 interim answers"


async def test_interim_answers_in_one_read_with_the_answer_are_dropped() -> None:
    async with scripted(Worker(then=b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100 + OK)) as port:
        substrate = HandSubstrate(ServiceView(config(), (worker(port),)))
        async with gateway(substrate) as running, httpx.AsyncClient(timeout=60) as client:
            await ready(running)
            got = await client.post(f"http://127.0.0.1:{running.port}{PATH}", json=CHAT)
    assert (got.status_code, got.content) == (200, b"ok")
    assert "link" not in got.headers
