"""The drain inside vLLM's server: nothing new, what runs ends, then the server is told to stop.

vLLM's own drain keeps the door open and answers a new request with 500. As an ASGI middleware
(vLLM's --middleware) this answers 503 at once, from the moment that SIGUSR1 arrives.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

BEGIN = signal.SIGUSR1
DRAIN_VARIABLE = "TIDEGATE_DRAIN_SECONDS"
REFUSAL = (
    b'{"error": {"message": "This worker is closing; send the request again.", '
    b'"type": "service_unavailable", "code": "worker_draining", "param": null}}'
)
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(REFUSAL)).encode()),
    (b"connection", b"close"),
    (b"retry-after", b"1"),
    (b"x-tidegate-draining", b"1"),
]


def stop_server() -> None:
    """Have vLLM stop its server in its own way, which flushes what clients have not read yet.

    The engine has nothing left to do and nothing to keep; taking itself apart would take it 3 s,
    for which its cores would not be free.
    """
    logging.getLogger("vllm.v1.engine.async_llm").setLevel(logging.CRITICAL)  # its alarm at an end we want
    for engine in multiprocessing.active_children():
        engine.kill()
    os.kill(os.getpid(), signal.SIGTERM)


class Drain:
    """Counts what runs; once begun, refuses what is new and calls ``finished`` when nothing runs.

    Or after ``seconds`` (by default what the environment says), whatever still runs.
    """

    def __init__(
        self, app: App, finished: Callable[[], None] = stop_server, seconds: float | None = None
    ) -> None:
        self._app = app
        self._finished = finished
        self._seconds = float(os.environ[DRAIN_VARIABLE]) if seconds is None else seconds
        self._running = 0
        self._begun = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().add_signal_handler(BEGIN, self.begin)
            await self._app(scope, receive, send)
        elif self._begun:
            await refuse(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    def begin(self) -> None:
        """Refuse from now on; a second call changes nothing."""
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_later(self._seconds, self._finished)
            self._finish_if_empty()

    async def _count(self, scope: Message, receive: Receive, send: Send) -> None:
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            if self._begun:
                self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        if self._running == 0:
            self._finished()


async def refuse(scope: Message, receive: Receive, send: Send) -> None:
    """503, once the whole request was read: a server that closes with unread bytes resets the connection, and
    a long prompt's sender would never see the answer. A websocket gets the same, where the server can say it.
    """
    prefix = "http"
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close"})  # 403
            return
        prefix = "websocket.http"
    else:
        await _read(receive)
    await send({"type": f"{prefix}.response.start", "status": 503, "headers": _HEADERS})
    await send({"type": f"{prefix}.response.body", "body": REFUSAL})


async def _read(receive: Receive) -> None:
    """Until the body is whole or its sender has gone; a gateway sends only bodies that it has."""
    while (message := await receive()).get("more_body") and message["type"] == "http.request":
        pass
