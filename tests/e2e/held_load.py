"""Many requests at once from this process, each on a connection of its own, and how each of them ended."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

BUDGET = 90.0  # seconds for one request


@dataclass(frozen=True)
class End:
    """How a request ended. ``whole``: 200 and to its last byte, with [DONE] where it streamed.

    ``begun``: the head of an answer of 200 had come. ``event``: it ended with an event that names an error.
    """

    whole: bool
    begun: bool = False
    event: bool = False
    what: str = ""  # where it is not whole


class Load:
    """Requests to one address; ``path``: of the completions."""

    def __init__(self, url: str, path: str, model: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._path, self._model = path, model
        self.begun = 0  # streams whose first event has come

    def many(self, count: int, tokens: int, *, stream: bool) -> list[asyncio.Task[End]]:
        """So many at once."""
        return [asyncio.create_task(self.one(tokens, stream=stream)) for _ in range(count)]

    async def one(self, tokens: int, *, stream: bool) -> End:
        """One request, to its end. Never raises but for a cancellation."""
        try:
            async with asyncio.timeout(BUDGET):
                return await self._ask(tokens, stream=stream)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            return End(whole=False, what=f"{type(error).__name__}: {error}")

    async def _ask(self, tokens: int, *, stream: bool) -> End:
        body = json.dumps({"model": self._model, "messages": [], "max_tokens": tokens, "stream": stream})
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: {self._host}\r\nconnection: close\r\n"
            f"x-request-id: {uuid.uuid4().hex}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(head.encode() + body.encode())
            return await self._answer(reader, stream=stream)
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, *, stream: bool) -> End:
        status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
        seen = b""
        if status == 200 and stream:
            seen = await reader.readuntil(b"\n\n")
            self.begun += 1
        try:
            seen += await reader.read(-1)
        except OSError as error:
            return End(whole=False, begun=status == 200, what=f"{type(error).__name__} in the answer")
        return _judged(status, seen, stream=stream)


def _judged(status: int, seen: bytes, *, stream: bool) -> End:
    if status != 200:
        return End(whole=False, what=f"{status}: {seen.decode(errors='replace')[-300:]}")
    whole = b"data: [DONE]" in seen if stream else b'"usage"' in seen
    what = "" if whole else f"cut after {len(seen)} bytes"
    return End(whole=whole, begun=True, event=stream and b'"error"' in seen, what=what)


async def arrivals(load: Load, over: asyncio.Event, every: float, tokens: int) -> list[End]:
    """A new request every so many seconds, streams and others by turns, until ``over``; how they ended."""
    tasks = list[asyncio.Task[End]]()
    while not over.is_set():
        tasks.append(asyncio.create_task(load.one(tokens, stream=len(tasks) % 2 == 0)))
        await asyncio.sleep(every)
    return list(await asyncio.gather(*tasks))


def failures(ends: Iterable[End]) -> list[str]:
    """What befell those that are not whole."""
    return [end.what for end in ends if not end.whole]
