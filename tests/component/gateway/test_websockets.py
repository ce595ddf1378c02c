"""Websockets: a handshake like any other request, then bytes both ways until either side ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest

from tests.component.gateway.harness import (
    KEY,
    HandSubstrate,
    Log,
    config,
    connection,
    gateway,
    metric,
    read_answer,
    ready,
    until,
    worker,
)
from tidegate.domain.service import ServiceView

TEXT, BINARY, CLOSE = 1, 2, 8
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
NONCE = base64.b64encode(b"sixteen bytes ok").decode()


def accept(key: str) -> str:
    """What a server answers to a client's key."""
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()  # noqa: S324 - the RFC's


def frame(kind: int, data: bytes, *, masked: bool) -> bytes:
    """One whole frame; a client's are masked."""
    length, size = len(data), b""
    if length > 65535:
        length, size = 127, struct.pack("!Q", length)
    elif length > 125:
        length, size = 126, struct.pack("!H", length)
    head = struct.pack("!BB", 0x80 | kind, length | (0x80 if masked else 0)) + size
    if not masked:
        return head + data
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame: its kind and its data."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await reader.readexactly(8))
    mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
    data = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


def handshake(target: str = "/v1/realtime?model=m", *fields: str) -> bytes:
    """A client's request for a websocket."""
    lines = (f"GET {target} HTTP/1.1", "host: gateway", "Connection: Upgrade", "Upgrade: websocket")
    key = (f"Sec-WebSocket-Key: {NONCE}", "Sec-WebSocket-Version: 13")
    return "\r\n".join((*lines, *key, *fields)).encode() + b"\r\n\r\n"


Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what it gets; ends as RFC 6455 wants."""
    while True:
        kind, data = await read_frame(reader)
        writer.write(frame(kind, data, masked=False))
        if kind == CLOSE:
            return


@dataclass
class Realtime:
    """A worker that answers probes, and speaks with ``peer`` over websockets."""

    peer: Peer = echo
    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    ended: int = 0
    answer: bytes = b""  # instead of a 101

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /v1/models "):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                return
            self.heads.append(head)
            if self.answer:
                writer.write(self.answer)
                await reader.read()
                return
            key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
            lines = "connection: upgrade", "upgrade: WebSocket", f"sec-websocket-accept: {accept(key)}"
            writer.write(("\r\n".join(("HTTP/1.1 101 Switch", *lines)) + "\r\n\r\n").encode())
            await self.peer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.ended += head.startswith(b"GET /v1/realtime")
            writer.close()


@contextlib.asynccontextmanager
async def listening(realtime: Realtime) -> AsyncIterator[HandSubstrate]:
    """A substrate with ``realtime`` as the only worker of the service."""
    server = await asyncio.start_server(realtime.serve, "127.0.0.1", 0)
    async with server:
        realtime.port = server.sockets[0].getsockname()[1]
        yield HandSubstrate(ServiceView(config(), (worker(realtime.port),)))


async def switched(reader: asyncio.StreamReader) -> bytes:
    """The head of the 101."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    return head


@pytest.mark.parametrize(
    "target", ["/v1/realtime?model=m", "/team-a/qwen/v1/realtime", "/v1/realtime?x=1&model=team-a/qwen"]
)
async def test_frames_go_both_ways_and_the_worker_ends_it(target: str) -> None:
    realtime, log = Realtime(), Log()
    async with listening(realtime) as substrate, gateway(substrate, log) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake(target, "X-Mine: kept", "Connection: x-hop", "X-Hop: gone"))
            head = await switched(reader)
            assert accept(NONCE).encode() in head
            assert head.lower().count(b"upgrade: websocket") == 1
            assert b"x-request-id: " in head
            for size in (0, 125, 126, 65536, 300_000):
                data = os.urandom(size)
                writer.write(frame(BINARY, data, masked=True))
                assert await read_frame(reader) == (BINARY, data)
            assert metric(running, "gateway_in_flight") == 1
            writer.write(frame(CLOSE, b"\x03\xe8", masked=True))
            assert await read_frame(reader) == (CLOSE, b"\x03\xe8")
            assert await asyncio.wait_for(reader.read(), 60) == b""
        assert metric(running, "gateway_requests_total", outcome="completed", code="101") == 1
        assert running.fleet.services[KEY].flow.depth == 0
    (sent,) = realtime.heads
    assert b"\r\nX-Mine: kept\r\n" in sent
    assert b"X-Hop" not in sent
    assert sent.lower().count(b"\r\nupgrade: websocket\r\n") == 1
    assert sent.startswith(b"GET /v1/realtime")
    line = json.loads(log.data)
    assert (line["outcome"], line["code"], line["path"]) == ("completed", 101, "/v1/realtime")


async def test_what_the_client_sends_behind_its_handshake_reaches_the_worker() -> None:
    async with listening(Realtime()) as substrate, gateway(substrate) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake() + frame(TEXT, b"early", masked=True))
            await switched(reader)
            assert await read_frame(reader) == (TEXT, b"early")


async def test_a_websocket_wakes_a_service_that_sleeps_and_waits_for_its_worker() -> None:
    realtime = Realtime()
    async with listening(realtime) as substrate:
        awake = substrate.views[KEY]
        substrate.show(ServiceView(config()))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            writer.write(handshake())
            await until(lambda: bool(substrate.wakes))
            writer.write(frame(TEXT, b"early", masked=True))
            substrate.show(awake)
            await switched(reader)
            assert await read_frame(reader) == (TEXT, b"early")


async def test_a_websocket_is_one_slot_of_its_service_and_is_refused_beyond_the_depth() -> None:
    async with listening(Realtime()) as substrate:
        substrate.show(ServiceView(config(max_depth=1), substrate.views[KEY].workers))
        async with gateway(substrate) as running:
            await ready(running)
            async with (
                connection(running.port) as (reader, writer),
                connection(running.port) as (second, other),
            ):
                writer.write(handshake())
                await switched(reader)
                other.write(handshake())
                assert (await read_answer(second)).status == 429


async def test_a_client_that_leaves_closes_the_worker_and_frees_its_slot() -> None:
    realtime = Realtime()
    async with listening(realtime) as substrate, gateway(substrate) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake())
            await switched(reader)
        await until(lambda: running.fleet.services[KEY].flow.depth == 0)
        await until(lambda: realtime.ended == 1)
        assert metric(running, "gateway_requests_total", outcome="client_gone", code="499") == 1
        assert metric(running, "gateway_requests_total") == 1


async def test_a_client_that_leaves_while_its_websocket_waits_gives_its_place_away() -> None:
    async with gateway(HandSubstrate(ServiceView(config()))) as running:
        async with connection(running.port) as (_, writer):
            writer.write(handshake())
            await until(lambda: running.fleet.services[KEY].flow.depth == 1)
        await until(lambda: running.fleet.services[KEY].flow.depth == 0)


async def test_a_worker_whose_connection_breaks_ends_the_tunnel_as_died() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_frame(reader)
        writer.transport.get_extra_info("socket").setsockopt(
            1, 13, struct.pack("ii", 1, 0)
        )  # SO_LINGER: a RST

    async with listening(Realtime(reset)) as substrate, gateway(substrate) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake())
            await switched(reader)
            writer.write(frame(TEXT, b"x", masked=True))
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
        assert metric(running, "gateway_requests_total", outcome="worker_died", code="502") == 1


async def test_the_execution_timeout_ends_a_websocket() -> None:
    realtime = Realtime()
    async with listening(realtime) as substrate:
        substrate.show(ServiceView(config(execution_timeout_seconds=2), substrate.views[KEY].workers))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(handshake())
            await switched(reader)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            assert metric(running, "gateway_requests_total", outcome="execution_timeout", code="504") == 1
            await until(lambda: realtime.ended == 1)


async def test_a_workers_refusal_of_a_websocket_is_the_clients_answer() -> None:
    refusal = b"HTTP/1.1 403 No\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nno"
    async with listening(Realtime(answer=refusal)) as substrate, gateway(substrate) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake())
            answer = await read_answer(reader)
            assert await asyncio.wait_for(reader.read(), 60) == b""
        assert (answer.status, answer.body, answer.fields["connection"]) == (403, b"no", "close")
        assert metric(running, "gateway_requests_total", outcome="completed", code="403") == 1


async def test_a_switch_that_nobody_asked_for_is_a_failure() -> None:
    answer = b"HTTP/1.1 101 Switch\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    async with (
        listening(Realtime(answer=answer)) as substrate,
        gateway(substrate, max_tries=1) as running,
        httpx.AsyncClient(timeout=60) as client,
    ):
        await ready(running)
        url = f"http://127.0.0.1:{running.port}/v1/chat/completions"
        got = await client.post(url, json={"model": "m"})
    assert got.status_code == 502
    assert "switched protocols" in got.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/v1/realtime", "?model=<name>"),
        ("/v1/realtime?model=nobody", "nobody"),
        ("/team-a/nobody/v1/realtime", "team-a/nobody"),
        ("/team-a/qwen/metrics", "no such path"),
        ("/team-a/qwen/else", "no such path"),
    ],
)
async def test_a_websocket_to_nowhere_is_404_and_says_how_to_name_a_service(
    target: str, message: str
) -> None:
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate) as running, connection(running.port) as (reader, writer):
        writer.write(handshake(target))
        answer = await read_answer(reader)
    assert answer.status == 404
    assert message in json.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize("slow", ["client", "worker"])
async def test_a_side_that_does_not_read_makes_the_other_wait_and_the_gateway_hold_little(slow: str) -> None:
    piece, sent, go = frame(BINARY, b"x" * 65000, masked=False), 0, asyncio.Event()

    async def push(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < 64 * 1024 * 1024:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if slow == "client":
            await push(writer)
        else:
            await go.wait()
            while await reader.read(1 << 20):
                pass

    async with listening(Realtime(peer)) as substrate, gateway(substrate) as running:
        await ready(running)
        async with connection(running.port) as (reader, writer):
            writer.write(handshake())
            await switched(reader)
            pushing = None if slow == "client" else asyncio.create_task(push(writer))
            if slow == "client":
                writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while sent != before:  # until nothing moves any more
                before = sent
                await asyncio.sleep(0.3)
            stuck = sent
            go.set()
            if pushing is None:
                writer.transport.resume_reading()  # type: ignore[attr-defined]
                await reader.readexactly(64 * 1024 * 1024)
            else:
                await asyncio.wait_for(pushing, 60)
    assert stuck < 24 * 1024 * 1024  # the kernel's buffers on three hops; not what is sent
