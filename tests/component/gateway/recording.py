"""A backend that writes down each whole request it gets, and a client that sends raw bytes to a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

from tests.component.gateway.corpus.case import PREFIX, Seen

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_PROBE = b"/v1/models"


class Recorder:
    """The backend. It believes lengths and chunks as they stand, and reads nothing leniently."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[Seen] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def taken(self) -> list[Seen]:
        """The requests since the last call."""
        seen, self.seen = self.seen, []
        return seen

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A proxy connected."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader)
                writer.write(_OK)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader) -> None:
        first, *rest = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        method, target, _version = first.split(b" ")
        parts = (line.partition(b":") for line in rest)
        fields = tuple((name.lower(), value.strip()) for name, _, value in parts)
        known = dict(fields)
        if known.get(b"transfer-encoding", b"").lower() == b"chunked":
            body = await _chunks(reader)
        else:
            body = await reader.readexactly(int(known.get(b"content-length", b"0")))
        target = target.removeprefix(PREFIX)
        if target != _PROBE:
            self.seen.append(Seen(method, target, body, fields))

    async def close(self) -> None:
        """Ends all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return body


@contextlib.asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    """A backend that listens on ``port``."""
    backend = Recorder()
    server = await asyncio.start_server(backend.connected, "127.0.0.1", 0)
    backend.port = int(server.sockets[0].getsockname()[1])
    try:
        yield backend
    finally:
        server.close()
        await backend.close()


async def exchange(port: int, data: bytes, seconds: float) -> tuple[list[int], bool]:
    """Sends ``data``; the statuses that came back but 100, and whether the proxy closed in ``seconds``."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer, closed = bytearray(), False
    try:
        writer.write(data)
        async with asyncio.timeout(seconds):
            while piece := await reader.read(65536):
                answer += piece
        closed = True
    except TimeoutError:
        pass
    except ConnectionError:
        closed = True
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return [status for status in map(int, _STATUS.findall(bytes(answer))) if status != 100], closed
