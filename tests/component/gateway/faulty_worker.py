"""A worker on real sockets that does wrong whatever a worker can do wrong, as a seed and an id say."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Call:
    """One request that has come, and the connection on which it came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    chance: random.Random
    unread: int  # bytes of its body

    async def body(self) -> None:
        """Reads the rest of the request."""
        await self.reader.readexactly(self.unread)
        self.unread = 0

    def reset(self) -> None:
        """Ends the connection with a RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def events(self, count: int, pause: float = 0.0) -> None:
        """The head of a stream, and some events."""
        self.writer.write(SSE_HEAD)
        for number in range(count):
            if self.writer.is_closing():
                raise ConnectionResetError
            self.writer.write(chunk(b"data: %d\n\n" % number))
            await self.writer.drain()
            await asyncio.sleep(pause)

    async def wait_for_the_end(self) -> None:
        """Until the other side closes."""
        while await self.reader.read(65536):
            pass


Fault = Callable[[Call], Awaitable[None]]


async def good(call: Call) -> None:
    await call.body()
    size = call.chance.choice((2, 3000, 400_000))
    call.writer.write(JSON_HEAD + b"content-length: %d\r\n\r\n%b" % (size, b"x" * size))


async def good_stream(call: Call) -> None:
    await call.body()
    await call.events(call.chance.randrange(1, 30), call.chance.choice((0.0, 0.003)))
    call.writer.write(chunk(LAST) + b"0\r\n\r\n")


async def good_after_interim(call: Call) -> None:
    call.writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
    await good(call)


async def good_and_closes_unannounced(call: Call) -> None:
    await good(call)
    await call.writer.drain()
    call.writer.close()


async def until_close(call: Call) -> None:
    await call.body()
    call.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n" + LAST)
    await call.writer.drain()
    call.writer.close()


async def server_error(call: Call) -> None:
    await call.body()
    call.writer.write(b"HTTP/1.1 500 Wrong\r\ncontent-length: 5\r\n\r\nwrong")


async def truncated(call: Call) -> None:
    await call.body()
    call.writer.write(JSON_HEAD + b"content-length: 1000\r\n\r\nonly this")
    await call.writer.drain()
    call.writer.close()


async def goes_silent(call: Call) -> None:
    await call.body()
    await call.events(2)
    await call.wait_for_the_end()


async def bad_chunk(call: Call) -> None:
    await call.body()
    await call.events(2)
    call.writer.write(b"zz\r\ndata: 1\n\n\r\n")
    await call.wait_for_the_end()


async def resets_in_a_stream(call: Call) -> None:
    await call.body()
    await call.events(3, 0.002)
    call.reset()


async def resets_before(call: Call) -> None:
    await call.body()
    call.reset()


async def closes_before(call: Call) -> None:
    """On a connection that was used before: the race with a worker that closes an idle one."""
    await call.body()
    call.writer.close()


async def resets_under_the_request(call: Call) -> None:
    call.reset()


async def resets_in_the_head(call: Call) -> None:
    await call.body()
    call.writer.write(SSE_HEAD[:40])
    await call.writer.drain()
    call.reset()


async def never_answers(call: Call) -> None:
    await call.body()
    await call.wait_for_the_end()


async def never_reads(call: Call) -> None:
    call.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3.0)
    call.writer.close()


async def garbage(call: Call) -> None:
    await call.body()
    call.writer.write(b"\x16\x03\x01 not HTTP\r\n\r\n")
    await call.wait_for_the_end()


async def interim_flood(call: Call) -> None:
    await call.body()
    call.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 5000)
    await call.wait_for_the_end()


async def answers_early(call: Call) -> None:
    """Before it has the body, which it reads afterwards."""
    call.writer.write(b"HTTP/1.1 413 Large\r\ncontent-length: 5\r\n\r\nlarge")
    await call.body()


async def answers_early_and_closes(call: Call) -> None:
    call.writer.write(b"HTTP/1.1 413 Large\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge")
    await call.writer.drain()
    call.writer.close()


async def two_answers(call: Call) -> None:
    await call.body()
    call.writer.write((JSON_HEAD + b"content-length: 2\r\n\r\nok") * 2)


# Answers that the gateway gets for certain: the request must not be sent to anybody afterwards.
FINAL: tuple[Fault, ...] = (
    good,
    good_stream,
    good_after_interim,
    good_and_closes_unannounced,
    until_close,
    server_error,
    truncated,
    goes_silent,
)
FAULTS: tuple[Fault, ...] = (
    *FINAL,
    *(good, good_stream, good, good_stream, good, good_stream, good, good_stream),
    bad_chunk,
    resets_in_a_stream,
    resets_before,
    closes_before,
    resets_under_the_request,
    resets_in_the_head,
    never_answers,
    never_reads,
    garbage,
    interim_flood,
    answers_early,
    answers_early_and_closes,
    two_answers,
)


@dataclass
class FaultyWorkers:
    """Several such workers, and what they have seen."""

    seed: int
    tries: Counter[str] = field(default_factory=Counter)  # how often each request came, by its id
    final: Counter[str] = field(default_factory=Counter)  # … and was answered for certain
    done: Counter[str] = field(default_factory=Counter)  # how often each fault was done, by its name
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def listening(self, count: int) -> AsyncIterator[list[int]]:
        """The ports of so many workers."""
        servers = [await asyncio.start_server(self._connected, "127.0.0.1", 0) for _ in range(count)]
        try:
            yield [server.sockets[0].getsockname()[1] for server in servers]
        finally:
            for server in servers:
                server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /v1/models "):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                else:
                    await self._misbehave(head, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _misbehave(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fields = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:-2])
        name = fields["x-request-id"]
        self.tries[name] += 1
        chance = random.Random(f"{self.seed} {name} {self.tries[name]}")  # noqa: S311 - a seed, no secret
        fault = chance.choice(FAULTS)
        self.done[fault.__name__] += 1
        self.final[name] += fault in FINAL
        await fault(Call(reader, writer, chance, int(fields["content-length"])))
