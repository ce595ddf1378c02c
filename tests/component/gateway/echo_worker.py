"""A worker that keeps every request it gets, head and body, and answers when it is let go."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@dataclass(frozen=True)
class Got:
    """One request as the worker got it; field names are in lower case."""

    target: str
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body, parsed."""
        return json.loads(self.body)


class EchoWorker:
    """``go`` lets it answer; the first ``failures`` requests end with a closed connection instead."""

    def __init__(self, failures: int = 0) -> None:
        self.got: list[Got] = []
        self.go = asyncio.Event()
        self._failures = failures

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                first, *rest = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
                fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in rest)}
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                target = first.split(" ")[1]
                if target != "/v1/models":
                    self.got.append(Got(target, fields, body))
                    await self.go.wait()
                    if len(self.got) <= self._failures:
                        break
                writer.write(OK)
        writer.close()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port it listens on."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
            self.go.set()
