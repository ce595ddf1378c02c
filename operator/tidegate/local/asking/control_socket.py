"""The socket by which other commands of this user ask a ``tidegate up``, and tell it to end.

It is a file of the state folder that the user alone can open: whoever can, could end the process anyway.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from aiohttp import web

SOCKET: Final = "control.sock"
SERVICES, WATCH, DOWN = "/services", "/watch", "/down"
_MODE: Final = 0o600
_CALM_SECONDS: Final = 0.1  # changes within it are one line of a watch


class Answers(Protocol):
    """Who knows the answers."""

    def services(self) -> dict[str, Any]:
        """Everything, as JSON."""
        ...

    def changes(self) -> AsyncIterator[bool]:
        """One whenever something changed, until nothing can any more."""
        ...

    def stop(self, *, at_once: bool) -> AsyncIterator[str]:
        """Ends the process; what it does meanwhile, in lines."""
        ...


@asynccontextmanager
async def control_socket(folder: Path, answers: Answers) -> AsyncIterator[None]:
    """Answers inside this block; a socket that a predecessor left is replaced. OSError."""
    runner = web.AppRunner(_application(answers), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    listener = _listener(folder)
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        (folder / SOCKET).unlink(missing_ok=True)
        await runner.cleanup()


def _listener(folder: Path) -> socket.socket:
    """Bound by way of the folder's descriptor: a socket's path has 107 bytes at most, a folder's has not."""
    (folder / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{SOCKET}")
        (folder / SOCKET).chmod(_MODE)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(descriptor)
    return listener


def _application(answers: Answers) -> web.Application:
    async def services(_: web.Request) -> web.Response:
        return web.json_response(answers.services(), dumps=_dumps)

    async def watch(request: web.Request) -> web.StreamResponse:
        return await _stream(request, _listings(answers))

    async def down(request: web.Request) -> web.StreamResponse:
        lines = answers.stop(at_once="now" in request.query)
        return await _stream(request, (json.dumps({"line": line}) async for line in lines))

    application = web.Application()
    application.add_routes([web.get(SERVICES, services), web.get(WATCH, watch), web.post(DOWN, down)])
    return application


async def _listings(answers: Answers) -> AsyncIterator[str]:
    changes = answers.changes()  # before the first look, so that nothing happens between the two
    yield _dumps(answers.services())
    async for _ in changes:
        await asyncio.sleep(_CALM_SECONDS)
        yield _dumps(answers.services())


async def _stream(request: web.Request, lines: AsyncIterator[str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
    with suppress(ConnectionError):  # whoever asked has left
        await response.prepare(request)
        async for line in lines:
            await response.write(line.encode() + b"\n")
    return response


def _dumps(value: object) -> str:
    return json.dumps(value, default=str)
