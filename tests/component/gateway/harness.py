"""A gateway on real sockets, a substrate that the test moves by hand, and engines as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tidegate.domain.errors import WakeError
from tidegate.domain.service import ServiceConfig, ServiceKey, ServiceView, Worker
from tidegate.gateway.accesslog import AccessLog
from tidegate.gateway.families import FAMILIES
from tidegate.gateway.peer_source import PeerSource
from tidegate.gateway.server import Gateway
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.substrate import Sink

ENGINE = Path(__file__).parents[2] / "engine_sim" / "engine.py"
KEY = ServiceKey("team-a", "qwen")


def config(key: ServiceKey = KEY, **changes: Any) -> ServiceConfig:
    """A service named after its key that serves the model ``m``."""
    fields: dict[str, Any] = {"created": 1.0, "served_names": ("m",), **changes}
    return ServiceConfig(key=key, **fields)


def worker(port: int, *, uid: str = "w0", **changes: Any) -> Worker:
    """A worker at a port of this machine that the gateway has to probe."""
    fields: dict[str, Any] = {
        "incarnation": 0,
        "host": "127.0.0.1",
        "ready": False,
        "terminating": False,
        "stage": "started",
        **changes,
    }
    return Worker(uid=uid, port=port, **fields)


class HandSubstrate:
    """A substrate whose every change is made by the test; ``on_wake`` is what a wake does."""

    def __init__(self, *views: ServiceView) -> None:
        self.views = {view.config.key: view for view in views}
        self.wakes: list[ServiceKey] = []
        self.refusal = ""
        self.counts_each = True  # False: the scale stays at 1 after the first wake
        self.on_wake: Callable[[ServiceKey], Awaitable[None]] | None = None
        self._sink: Sink | None = None

    async def watch(self, sink: Sink) -> None:
        self._sink = sink
        for view in self.views.values():
            sink.service_changed(view)
        sink.synced()
        await asyncio.Event().wait()

    async def wake(self, key: ServiceKey) -> bool:
        self.wakes.append(key)
        if self.refusal:
            raise WakeError(self.refusal)
        if self.on_wake is not None:
            await self.on_wake(key)
        return self.wakes.count(key) == 1 or self.counts_each

    def show(self, view: ServiceView) -> None:
        """The service is now as ``view`` says."""
        self.views[view.config.key] = view
        if self._sink is not None:
            self._sink.service_changed(view)

    def remove(self, key: ServiceKey) -> None:
        """The service is gone."""
        del self.views[key]
        if self._sink is not None:
            self._sink.service_removed(key)


@dataclass
class Engine:
    """A simulated engine that runs as a process."""

    process: asyncio.subprocess.Process
    port: int

    async def kill(self) -> None:
        """It dies at once, as if by the kernel."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


@contextlib.asynccontextmanager
async def engine(*arguments: str, **environment: str) -> AsyncIterator[Engine]:
    """An engine that listens; ``environment`` as ``tokens_per_second="50"``."""
    variables = {f"ENGINE_{name.upper()}": value for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ENGINE),
        *("--model", "m", "--port", "0", "--host", "127.0.0.1", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **variables},
    )
    try:
        if process.stdout is None:
            raise AssertionError("the engine has no output")
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        yield Engine(process, int(line.split()[-1]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass
class Log:
    """The access log of one gateway, as bytes."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.data += data


@contextlib.asynccontextmanager
async def gateway(
    substrate: HandSubstrate, log: Log | None = None, peers: PeerSource | None = None, **changes: Any
) -> AsyncIterator[Gateway]:
    """A gateway on free ports that knows what ``substrate`` knows."""
    settings = GatewaySettings(listen_port=0, admin_port=0, **changes)
    async with Gateway(settings, substrate, AccessLog(log.write if log else None), peers) as running:
        await until(lambda: running.fleet.synced_once)
        yield running


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Returns as soon as ``condition`` holds; a test fails where it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - conditions of all kinds, without an event of their own
            await asyncio.sleep(0.005)


async def ready(running: Gateway, key: ServiceKey = KEY) -> None:
    """Returns when a service has an endpoint."""
    await until(lambda: bool(running.fleet.services[key].flow.endpoints))


@contextlib.asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to write any bytes to."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@dataclass
class Answer:
    """One parsed answer."""

    status: int
    fields: dict[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer of a connection: with a length, chunked, or until its end."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
    lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:] if x)}
    status = int(lines[0].split()[1])
    if "content-length" in fields:
        body = await reader.readexactly(int(fields["content-length"]))
    elif fields.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = b"" if status in (100, 204, 304) else await reader.read()
    return Answer(status, fields, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body


def post(body: bytes, path: str = "/v1/chat/completions", *fields: str, host: str = "gateway") -> bytes:
    """A POST with a length."""
    lines = (f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}", *fields)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script, port: int = 0) -> AsyncIterator[int]:
    """The port of a worker that answers probes, and hands every other request's connection to ``script``
    after its head and body were read."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /v1/models "):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                    continue
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                await script(reader, writer)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def metric(running: Gateway, name: str, **labels: str) -> float:
    """The sum of all samples of that name with at least these labels."""
    running.traffic.books.settle()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    texts = (s.meters.text(family) for s in running.fleet.services.values() for family in FAMILIES)
    lines = (line for text in texts for line in text.splitlines() if line.startswith(f"{name}{{"))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(pair in line for pair in wanted))


async def engine_says(port: int, line: str, seconds: float = 60.0) -> None:
    """Returns as soon as the engine's own /metrics has ``line``; a test fails where it does not in time."""
    async with asyncio.timeout(seconds), httpx.AsyncClient(timeout=60) as client:
        said: list[str] = []
        while line not in said:
            await asyncio.sleep(0.01)
            said = (await client.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
