"""In which order requests run, and on which worker, as clients meet it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    config,
    connection,
    gateway,
    post,
    read_answer,
    until,
    worker,
)
from tidegate.domain.service import ServiceView
from tidegate.gateway.server import Gateway

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Recorder:
    """A worker that keeps every body in the order of arrival, and answers when it is let go."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.go = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.seen.append(json.loads(await reader.readexactly(length)))
                await self.go.wait()
                writer.write(OK)
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port it listens on."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
            self.go.set()

    @property
    def names(self) -> list[str]:
        """What each body said in ``user``."""
        return [body["user"] for body in self.seen]


async def ask(running: Gateway, name: str, *fields: str, host: str = "g", cut: int = 0, **body: Any) -> None:
    """Sends one request and reads its answer, which is 200; its body in two pieces where ``cut`` is not 0."""
    data = json.dumps({"model": "m", "user": name, **body}).encode()
    message = post(data, "/v1/completions", *fields, host=host)
    async with connection(running.port) as (reader, writer):
        writer.write(message[: len(message) - cut])
        if cut:
            await until(lambda: running.fleet.services[KEY].flow.reading == 1)
            writer.write(message[len(message) - cut :])
        answer = await read_answer(reader)
    assert answer.status == 200, answer.body


async def test_priorities_of_header_and_body_decide_the_order_and_equals_keep_theirs() -> None:
    recorder = Recorder()
    async with recorder.listening() as port:
        view = ServiceView(config(max_concurrency=1), (worker(port, ready=True),))
        async with gateway(HandSubstrate(view)) as running, asyncio.TaskGroup() as group:
            flow = running.fleet.services[KEY].flow
            group.create_task(ask(running, "first"))
            await until(lambda: len(recorder.seen) == 1)
            waiting = [
                ask(running, "plain"),
                ask(running, "plain, later"),
                ask(running, "body: last", priority=90),
                ask(running, "header: soon", "x-tidegate-priority: -50"),
                ask(running, "both", "x-tidegate-priority: -70", priority=100),
                ask(running, "header, cut", "x-tidegate-priority: -60", host="qwen.team-a", cut=5),
                ask(running, "body, cut", host="qwen.team-a", cut=5, priority=-80),
            ]
            for number, request in enumerate(waiting, 1):
                group.create_task(request)
                await until(lambda number=number: flow.waiting == number)  # type: ignore[misc]
            recorder.go.set()
    assert recorder.names == [
        *("first", "body, cut", "both", "header, cut", "header: soon"),
        *("plain", "plain, later", "body: last"),
    ]
    assert [body.get("priority") for body in recorder.seen if body["user"] == "both"] == [100]


async def test_a_priority_that_is_none_is_400_and_says_what_is_one() -> None:
    async with (
        gateway(HandSubstrate(ServiceView(config()))) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(post(b'{"model": "m"}', "/v1/completions", "x-tidegate-priority: urgent"))
        answer = await read_answer(reader)
    assert answer.status == 400
    assert "x-tidegate-priority" in json.loads(answer.body)["error"]["message"]


async def _spread(prefix_affinity: bool) -> list[set[str]]:
    """The users whose prompts each of three workers saw: four prompts, five times each, one at a time."""
    recorders = [Recorder() for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(recorder.listening()) for recorder in recorders]
        workers = tuple(worker(port, uid=f"w{n}", ready=True) for n, port in enumerate(ports))
        view = ServiceView(config(prefix_affinity=prefix_affinity), workers)
        async with gateway(HandSubstrate(view)) as running:
            for recorder in recorders:
                recorder.go.set()
            for turn in range(5):
                for user in "abcd":
                    await ask(running, user, prompt=user * 2000 + str(turn))
    return [set(recorder.names) for recorder in recorders]


async def test_prompts_that_begin_alike_meet_the_same_worker_where_the_service_asks_for_it() -> None:
    seen = await _spread(prefix_affinity=True)
    assert sum(len(users) for users in seen) == 4
    assert set.union(*seen) == set("abcd")


async def test_without_affinity_they_take_turns() -> None:
    seen = await _spread(prefix_affinity=False)
    assert sum(len(users) for users in seen) > 4
