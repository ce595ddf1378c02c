"""What the engines tell of themselves: each that started, and each request that it began and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.e2e.cycles.ledger import Ledger, read


@dataclass
class Book:
    """A server that engines tell (ENGINE_REPORT_TO is ``address``); ``engines``: how many have started."""

    address: str = ""
    engines: int = 0
    _lines: list[str] = field(default_factory=list)

    def read(self) -> Ledger:
        """What has been told so far."""
        return read("".join(self._lines))

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One engine, until it ends."""
        self.engines += 1
        try:
            while line := await reader.readline():
                self._lines.append(line.decode())
        except ConnectionError:  # it was killed
            return
        finally:
            writer.close()


@asynccontextmanager
async def book() -> AsyncIterator[Book]:
    """A book that is open within the block."""
    found = Book()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
