"""The engine's sleep inside vLLM's server: while nothing has run for a while, its GPU memory is others'.

An ASGI middleware (vLLM's --middleware) inside the drain's: a request that the drain refuses wakes nobody. It
asks vLLM's engine client in this process, so there is no endpoint by which a client could do the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from .drain import BEGIN, App, Message, Receive, Send, refuse
from .sleeper import Sleeper
from .sleeping import Rhythm, read_rhythm

# What only reads asks nothing of the engine: the server itself knows models, health and metrics.
# Whatever else comes is taken for work; SageMaker's health check alone may be a POST.
READING = frozenset({"GET", "HEAD", "OPTIONS"})
HEALTH = "/ping"


def is_work(scope: Message) -> bool:
    """Whether a request may need the engine: a websocket, and any method that does not only read."""
    if scope["type"] != "http":
        return True
    return scope["method"] not in READING and scope["path"] != HEALTH


def end_worker(cause: str) -> None:
    """Name the cause where the supervisor reads it; the drain refuses what comes and then ends the server."""
    print(f"EngineSleepError: {cause}", file=sys.stderr, flush=True)
    os.kill(os.getpid(), BEGIN)


class Doze:
    """The middleware. ``rhythm``: by default what the environment says; without one nothing ever sleeps."""

    def __init__(
        self, app: App, rhythm: Rhythm | None = None, failed: Callable[[str], None] = end_worker
    ) -> None:
        self._app = app
        self._rhythm = rhythm or read_rhythm(os.environ)
        self._failed = failed
        self.sleeper: Sleeper | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self.sleeper is None or not is_work(scope):
            await self._app(scope, receive, send)
        else:
            await self._work(self.sleeper, scope, receive, send)

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        """The server's whole life, which begins when its engine is ready."""
        if self._rhythm is not None:
            self.sleeper = Sleeper(scope["app"].state.engine_client, self._rhythm, self._failed)
            self.sleeper.start_clock()
        try:
            await self._app(scope, receive, send)
        finally:
            if self.sleeper is not None:
                self.sleeper.close()

    async def _work(self, sleeper: Sleeper, scope: Message, receive: Receive, send: Send) -> None:
        """Refused, where it cannot run, as by the drain: a gateway sends it elsewhere."""
        try:
            awake = await sleeper.acquire()
            await (self._app if awake else refuse)(scope, receive, send)
        finally:
            sleeper.release()
