"""The drain inside the server: nothing new, what runs ends, then the end is told, once."""

from __future__ import annotations

import asyncio

from tidegate_worker.drain import Drain, Message, Receive, Send


class Server:
    """An application that answers a request when it is let go on."""

    def __init__(self, seconds: float = 60) -> None:
        self.go_on = asyncio.Event()
        self.finished: list[bool] = []
        self.end = asyncio.Event()
        self.unread: list[Message] = []  # of the latest request's body
        self.drain = Drain(self._answer, self._finish, seconds)

    def _finish(self) -> None:
        self.finished.append(True)
        self.end.set()

    async def _answer(self, _scope: Message, _receive: Receive, send: Send) -> None:
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def request(
        self, kind: str = "http", body: tuple[Message, ...] = (), **scope: object
    ) -> list[Message]:
        sent: list[Message] = []
        self.unread = list(body)

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return self.unread.pop(0) if self.unread else {"type": "http.request"}

        await self.drain({"type": kind, **scope}, receive, send)
        return sent


async def test_what_runs_ends_before_the_server_is_stopped() -> None:
    server = Server()
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    assert server.finished == []
    server.go_on.set()
    assert (await running)[0]["status"] == 200
    assert server.finished == [True]


async def test_a_new_request_is_refused_so_that_it_can_be_sent_elsewhere() -> None:
    server = Server()
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    async with asyncio.timeout(60):
        start, body = await server.request()
    assert start["status"] == 503
    assert dict(start["headers"])[b"x-tidegate-draining"] == b"1"
    assert int(dict(start["headers"])[b"content-length"]) == len(body["body"])
    server.go_on.set()
    await running


PIECE: Message = {"type": "http.request", "body": b"x" * 65536, "more_body": True}


async def test_a_request_is_refused_when_its_whole_body_was_read_so_that_no_reset_takes_the_refusal() -> None:
    server = Server()
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    async with asyncio.timeout(60):
        start, _ = await server.request(body=(PIECE, PIECE, {"type": "http.request", "body": b"end"}))
    assert (start["status"], server.unread) == (503, [])
    async with asyncio.timeout(60):
        await server.request(body=(PIECE, {"type": "http.disconnect"}))
    assert server.unread == []
    server.go_on.set()
    await running


async def test_a_new_websocket_is_refused_like_a_request_where_the_server_can_say_so() -> None:
    server = Server()
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    start, body = await server.request("websocket", extensions={"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 503)
    assert dict(start["headers"])[b"x-tidegate-draining"] == b"1"
    assert body["type"] == "websocket.http.response.body"
    assert await server.request("websocket") == [{"type": "websocket.close"}]
    server.go_on.set()
    await running


async def test_a_websocket_that_runs_ends_before_the_server_is_stopped() -> None:
    server = Server()
    running = asyncio.create_task(server.request("websocket"))
    await asyncio.sleep(0)
    server.drain.begin()
    assert server.finished == []
    server.go_on.set()
    await running
    assert server.finished == [True]


async def test_an_idle_server_is_stopped_at_once_and_only_once() -> None:
    server = Server()
    server.drain.begin()
    server.drain.begin()
    assert server.finished == [True]


async def test_a_request_that_fails_counts_as_ended() -> None:
    server = Server()
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert server.finished == [True]


async def test_a_request_that_never_ends_does_not_hold_the_server_for_ever() -> None:
    server = Server(seconds=0.02)
    running = asyncio.create_task(server.request())
    await asyncio.sleep(0)
    server.drain.begin()
    async with asyncio.timeout(60):
        await server.end.wait()
    assert not running.done()
    running.cancel()
