"""A server whose engine sleeps: the real middleware between a false engine client and a false application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace

from tidegate_worker.doze import Doze
from tidegate_worker.drain import App, Message, Receive, Send
from tidegate_worker.sleeping import Rhythm

AFTER = 60.0
BUDGET = 900.0
WAKE_SECONDS = 3.0
LOOKS = frozenset({"/v1/models", "/health", "/metrics", "/ping"})  # what vLLM answers without its engine


@dataclass
class FalseEngine:
    """As vLLM's client: one call at a time is right, and asleep nothing may run. Notes what it was asked."""

    asked: list[str] = field(default_factory=list)
    seconds: float = WAKE_SECONDS  # that each call takes
    breaks: Exception = field(default_factory=lambda: Exception("it is broken"))  # what a bad call ends with
    good: int = 1_000_000  # calls before the first bad one
    awake: bool = True
    busy: bool = False
    running: int = 0
    comes_back: bool = True  # all of its memory, when it is woken

    async def sleep(self, level: int, mode: str) -> None:
        assert self.running == 0, "put to sleep while something ran"
        assert mode == "wait", "nothing may be aborted"
        await self._do(f"sleep {level}")

    async def wake_up(self, tags: list[str] | None = None) -> bool:
        await self._do("wake " + "+".join(tags or ["all"]))
        self.awake = self.comes_back and tags in (None, ["kv_cache"])
        return self.awake

    async def collective_rpc(self, method: str) -> object:
        await self._do(method)
        return [None]

    async def _do(self, what: str) -> None:
        assert not self.busy, f"{what} while another call was under way"
        self.busy, self.awake = True, False
        self.asked.append(what)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.busy = False
        if len(self.asked) > self.good:
            raise self.breaks


class Server:
    """A life of the middleware: ``async with Server(...) as server``, as vLLM's server begins and ends it."""

    def __init__(self, rhythm: Rhythm | None) -> None:
        self.engine = FalseEngine()
        self.failures: list[str] = []
        self.doze = Doze(self._answer, rhythm, self.failures.append)
        self.entry: App = self.doze  # what a request meets first
        self.ends: dict[int, asyncio.Event] = {}
        self._started = asyncio.Event()
        self._stop = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Server:
        app = SimpleNamespace(state=SimpleNamespace(engine_client=self.engine))
        self._life = asyncio.create_task(self.doze({"type": "lifespan", "app": app}, _receive, _send))
        await self._started.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        if self._life is not None:
            await self._life

    async def _answer(self, scope: Message, _receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._started.set()
            await self._stop.wait()
            return
        if scope["path"] not in LOOKS:
            await self._run(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _run(self, scope: Message) -> None:
        assert self.engine.awake, "a request was passed on to an engine that sleeps"
        assert not self.engine.busy, "a request was passed on during a change"
        self.engine.running += 1
        try:
            await self.ends.setdefault(scope["number"], asyncio.Event()).wait()
        finally:
            self.engine.running -= 1

    async def ask(
        self, number: int = 0, method: str = "POST", path: str = "/v1/x", kind: str = "http"
    ) -> int:
        """The status of the answer to a request; ``end(number)`` lets it end."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": kind, "method": method, "path": path, "number": number}
        await self.entry(scope, _receive, send)
        return int(sent[0]["status"])

    def end(self, number: int = 0) -> None:
        self.ends.setdefault(number, asyncio.Event()).set()

    async def served(self, number: int = 0) -> int:
        """The same for a request that takes no time of its own."""
        self.end(number)
        return await self.ask(number)


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(_message: Message) -> None:
    return None
