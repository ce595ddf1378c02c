"""What can befall a watch. Each is asked before a watch is passed on, and answers it or lets it be (None)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

Fault = Callable[[web.Request, int], Awaitable[web.StreamResponse | None]]  # (request, how often before)


def error_event(code: int, times: int = 1) -> Fault:
    """An ERROR event as the first line of so many watches of each kind."""
    status = {"kind": "Status", "code": code, "reason": "Test", "message": f"told to fail with {code}"}
    line = json.dumps({"type": "ERROR", "object": status}) + "\n"
    return _answer(lambda: web.Response(text=line, content_type="application/json"), times)


def refusal(code: int, times: int) -> Fault:
    """The status of the answer to so many watches of each kind."""
    status = {"kind": "Status", "code": code, "reason": "Test", "message": f"told to fail with {code}"}
    return _answer(lambda: web.json_response(status, status=code), times)


def garbage(times: int = 1) -> Fault:
    """A line that no API server sends."""
    return _answer(lambda: web.Response(text='{"kind": "Sta\n', content_type="application/json"), times)


def silence(until: asyncio.Event) -> Fault:
    """Watches that are answered with headers and then with nothing."""

    async def fault(request: web.Request, _: int) -> web.StreamResponse | None:
        if until.is_set():
            return None
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await until.wait()
        if request.transport:
            request.transport.abort()
        return response

    return fault


def deaf_to(kind: str, until: asyncio.Event) -> Fault:
    """Watches of one kind are silent, the others as ever."""
    silent = silence(until)

    async def fault(request: web.Request, before: int) -> web.StreamResponse | None:
        return await silent(request, before) if request.path.endswith(f"/{kind}") else None

    return fault


def lag(seconds: float) -> Fault:
    """Watches that begin late."""

    async def fault(_: web.Request, __: int) -> web.StreamResponse | None:
        await asyncio.sleep(seconds)
        return None

    return fault


def _answer(build: Callable[[], web.StreamResponse], times: int) -> Fault:
    async def fault(_: web.Request, before: int) -> web.StreamResponse | None:
        return build() if before < times else None

    return fault
