"""Streams for a benchmark: a worker that sends server-sent events at a pace, and clients that read them.

``serve PORT`` answers every POST with events without end, as many milliseconds apart as its field
``x-interval-ms`` says. ``read PORT MODEL STREAMS INTERVAL_MS SECONDS`` opens streams, says ``running`` when
each has begun or failed, waits for a line, reads for that long, and prints as JSON what came; it keeps the
streams until its input ends. Each event carries the time at which it was sent, by the clock that all
processes of a machine share.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","at":%017.6f,"choices":[{"index":0,"delta":'
    + b'{"content":" token"},"finish_reason":null}]}\n\n'
)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT % 0.0), EVENT)
SENT_AT = re.compile(rb'"at":([0-9.]{17})')
INTERVAL = re.compile(rb"\r\nx-interval-ms: *([0-9]+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
READY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
ADDRESSES = ("127.0.0.1", "127.0.0.2")  # two endpoints: one alone takes 4,096 requests at once
GOLDEN = 0.618034  # its multiples, less their whole part, spread evenly whatever the count
BEGIN_SECONDS = 60.0
AT_ONCE = 64  # connections under way, well within any listen backlog


class Source(asyncio.Protocol):
    """One connection of a worker: events from its first POST until it is closed."""

    streams = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET"):
            self._transport.write(READY)
        elif self._timer is None and (found := INTERVAL.search(data)):
            self._interval = int(found[1]) / 1000
            self._transport.write(HEAD)
            self._begin()

    def _begin(self) -> None:
        """Each stream has its own place in the interval, so that no two proxies get another rhythm."""
        Source.streams += 1
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + self._interval * (Source.streams * GOLDEN % 1.0)
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._transport.write(CHUNK % time.monotonic())
        self._due = max(self._due + self._interval, self._loop.time())
        self._timer = self._loop.call_at(self._due, self._tick)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Drain(asyncio.Protocol):
    """One client: sends a request, and notes how long each event of the answer was under way."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.delays: list[float] = []
        self.failed = False

    @property
    def begun(self) -> bool:
        """Its first event is there, or none will come."""
        return self.failed or bool(self.delays)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        for sent in SENT_AT.findall(data):
            self.delays.append(now - float(sent))
        if data.startswith(b"HTTP/1.1") and not data.startswith(b"HTTP/1.1 200"):
            self.failed = True

    def connection_lost(self, _exc: Exception | None) -> None:
        self.failed = True


def stream_request(model: str, interval_ms: int) -> bytes:
    """A chat request for a stream; proxies pass the interval on to the worker."""
    fields = {"model": model, "stream": True, "messages": [{"role": "user", "content": "x" * 200}]}
    body = json.dumps(fields).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    return head + b"x-interval-ms: %d\r\ncontent-length: %d\r\n\r\n" % (interval_ms, len(body)) + body


async def serve(port: int) -> None:
    """Runs the worker."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Source, ADDRESSES, port, backlog=4096)
    await server.serve_forever()


async def _open(port: int, request: bytes, slots: asyncio.Semaphore) -> Drain:
    client = Drain(request)
    async with slots:
        try:
            await asyncio.get_running_loop().create_connection(lambda: client, "127.0.0.1", port)
        except OSError:
            client.failed = True
    return client


async def _until_begun(clients: list[Drain]) -> None:
    end = time.monotonic() + BEGIN_SECONDS
    while not all(client.begun for client in clients) and time.monotonic() < end:  # noqa: ASYNC110 - a condition over all
        await asyncio.sleep(0.05)


async def read(port: int, model: str, streams: int, interval_ms: int, seconds: float) -> None:
    """Reads for that long once every stream runs and it is told to; prints what came in that time."""
    request, slots = stream_request(model, interval_ms), asyncio.Semaphore(AT_ONCE)
    clients = await asyncio.gather(*(_open(port, request, slots) for _ in range(streams)))
    await _until_begun(clients)
    print("running", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for client in clients:
        client.delays.clear()
    start = time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - start
    print(json.dumps({"seconds": took} | summary(clients)), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def summary(clients: list[Drain]) -> dict[str, float]:
    """Chunks that came, streams that failed or brought nothing, and the delay's percentiles in µs."""
    delays = sorted(delay for client in clients for delay in client.delays)
    failed = sum(client.failed or not client.delays for client in clients)
    at = {name: delays[int(len(delays) * share)] * 1e6 for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {"chunks": len(delays), "failed": failed} | at


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(serve(int(sys.argv[2])))
    else:
        uvloop.run(
            read(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
        )
