"""Streams for a benchmark: a worker that sends server-sent events at a pace, and clients that read them.

``serve PORT INTERVAL_MS`` answers every POST with events without end; ``read PORT STREAMS SECONDS`` opens
streams through a proxy and prints, as JSON, how many bytes of how many streams came in how many seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

EVENT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":'
    + (b'" token"},"finish_reason":null}]}\n\n')
)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MODELS = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
BODY = json.dumps(
    {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "x" * 200}]}
).encode()


class Source(asyncio.Protocol):
    """One connection of a worker: events from its first POST until it is closed."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET"):
            self._transport.write(MODELS)
        elif self._timer is None:
            self._transport.write(HEAD)
            self._tick()

    def _tick(self) -> None:
        self._transport.write(CHUNK)
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._tick)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Drain(asyncio.Protocol):
    """One client: sends a request and counts the bytes of the answer."""

    def __init__(self) -> None:
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        cast(asyncio.Transport, transport).write(head + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)


async def serve(port: int, interval: float) -> None:
    """Runs the worker."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Source(interval), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def read(port: int, streams: int, seconds: float) -> None:
    """Reads for that long once every stream runs; prints what came."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(Drain, "127.0.0.1", port))[1] for _ in range(streams)]
    while not all(client.received for client in clients):  # noqa: ASYNC110 - a condition over all of them
        await asyncio.sleep(0.05)
    print("running", flush=True)
    before, start = sum(c.received for c in clients), time.monotonic()
    await asyncio.sleep(seconds)
    received, took = sum(c.received for c in clients) - before, time.monotonic() - start
    print(json.dumps({"chunks": received / len(CHUNK), "seconds": took}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        uvloop.run(serve(int(sys.argv[2]), float(sys.argv[3]) / 1000))
    else:
        uvloop.run(read(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
