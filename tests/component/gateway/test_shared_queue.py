"""Several gateway processes over one file share each service's queue."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.component.gateway.harness import engine, post, until
from tests.component.gateway.test_process import document
from tests.ports import free_ports

COMMAND = (sys.executable, "-m", "tidegate.cli", "--log-level", "WARNING", "gateway")
SERVICE = "team-a/qwen"


@dataclass
class Member:
    """One gateway's process; it can be started again at the same ports."""

    file: Path
    port: int
    admin_port: int
    peer_port: int
    peers: tuple[int, ...]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        peers = [word for port in self.peers for word in ("--peer", f"127.0.0.1:{port}")]
        self.process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "--file", str(self.file), "--peer-listen", f"127.0.0.1:{self.peer_port}", *peers),
            *("--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{self.admin_port}"),
            stdout=asyncio.subprocess.DEVNULL,
        )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def end(self, number: signal.Signals) -> None:
        """Sends a signal, and returns when the process is gone."""
        assert self.process is not None
        if self.alive:
            self.process.send_signal(number)
        await asyncio.wait_for(self.process.wait(), 60)

    async def status(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """Its /status; empty while it does not answer."""
        try:
            answer = await client.get(f"http://127.0.0.1:{self.admin_port}/status")
        except httpx.TransportError:
            return {}
        found: dict[str, Any] = answer.json()
        return found

    async def service(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """What its /status says of the service."""
        services = (await self.status(client)).get("services") or [{}]
        found: dict[str, Any] = services[0]
        return found


class Group:
    """Gateways that know each other."""

    def __init__(self, members: list[Member], client: httpx.AsyncClient) -> None:
        self.members = members
        self.client = client

    async def until_agreed(self, count: int) -> Member:
        """Returns when ``count`` gateways see each other and one of them arbitrates; that one."""
        async with asyncio.timeout(120):
            while True:
                arbiters = await self._arbiters(count)
                if len(arbiters) == 1:
                    return arbiters[0]
                await asyncio.sleep(0.05)

    async def _arbiters(self, count: int) -> list[Member]:
        living = [member for member in self.members if member.alive]
        arbiters = []
        for member in living:
            status = await member.status(self.client)
            ready = [each for each in status.get("gateways", ()) if each["ready"] and not each["leaving"]]
            services = status.get("services") or [{}]
            if not status.get("ready") or len(ready) != count - 1 or not services[0].get("endpoints"):
                return []
            if services[0]["arbitrates"]:
                arbiters.append(member)
        return arbiters if len(living) == count else []

    async def until_depth(self, depth: int) -> None:
        """Returns when all gateways together tell this depth."""
        async with asyncio.timeout(120):
            while await self.depth() != depth:  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.01)

    async def depth(self) -> int:
        """The depth that all gateways tell together."""
        services = [await member.service(self.client) for member in self.members if member.alive]
        return sum(service.get("depth", 0) for service in services if service.get("arbitrates"))


@contextlib.asynccontextmanager
async def gateways(file: Path, count: int) -> AsyncIterator[Group]:
    """That many, which have found each other."""
    ports = free_ports(3 * count)
    peers = tuple(ports[2::3])
    members = [Member(file, *port, peers) for port in zip(ports[::3], ports[1::3], peers, strict=True)]
    async with httpx.AsyncClient(timeout=60) as client:
        try:
            for member in members:
                await member.start()
            group = Group(members, client)
            await group.until_agreed(count)
            yield group
        finally:
            for member in members:
                await member.end(signal.SIGKILL)


@dataclass
class Stream:
    """What became of one request."""

    status: int = 0
    whole: bool = False
    broken: bool = False  # its connection ended before the answer did
    body: bytes = b""


async def ask(ports: Callable[[], list[int]], stream: Stream, tokens: int) -> None:
    """One streamed request at the first gateway that accepts a connection, as a load balancer sends it."""
    reader, writer = await _connect(ports)
    try:
        body = {"model": "m", "messages": [], "stream": True, "max_tokens": tokens}
        writer.write(post(json.dumps(body).encode(), "/v1/chat/completions", "connection: close"))
        stream.body = await reader.read()
        if not stream.body:
            stream.broken = True
            return
        stream.status = int(stream.body.split()[1])
        stream.whole = stream.body.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        stream.broken = stream.status == 200 and not stream.whole
    except ConnectionError:
        stream.broken = True
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _connect(
    ports: Callable[[], list[int]],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(120):
        while True:
            for port in ports():
                with contextlib.suppress(ConnectionRefusedError):
                    return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.01)


async def watch_engine(port: int, seen: Counter[str]) -> None:
    """Keeps the most requests that the engine had at once, running and waiting, in ``seen``.

    Two looks in turn have to show them: the engine may answer between a dead gateway's last bytes and its
    own clearing up after them, and a request too many would run for a second.
    """
    before = 0
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
            numbers = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("vllm:num_req")]
            now = sum(int(float(value)) for _, value in numbers)
            seen["most"] = max(seen["most"], min(now, before))
            before = now
            await asyncio.sleep(0.005)


async def test_of_200_requests_at_once_over_two_gateways_128_are_admitted(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    async with engine("--max-num-seqs", "8", tokens_per_second="2") as slow:
        file.write_text(document(slow.port, spec="engine: {maxConcurrency: 8}"))
        async with gateways(file, 2) as group, asyncio.TaskGroup() as tasks:
            ports = [member.port for member in group.members]
            streams = [Stream() for _ in range(200)]
            asked = [
                tasks.create_task(ask(lambda n=n: [ports[n % 2]], stream, 1000))  # type: ignore[misc]
                for n, stream in enumerate(streams)
            ]
            await group.until_depth(128)
            await until(lambda: sum(task.done() for task in asked) >= 72)
            assert await group.depth() == 128
            refused = [stream for stream, task in zip(streams, asked, strict=True) if task.done()]
            assert len(refused) == 72
            assert {stream.status for stream in refused} == {429}
            assert all(b'"code": "overload"' in stream.body for stream in refused)
            assert all(b"retry-after: " in stream.body for stream in refused)
            admitted = [n for n, task in enumerate(asked) if not task.done()]
            assert {n % 2 for n in admitted} == {0, 1}
            for task in asked:
                task.cancel()
            await group.until_depth(0)


async def test_a_rolling_restart_of_two_gateways_cuts_no_stream_and_refuses_no_request(
    tmp_path: Path,
) -> None:
    file = tmp_path / "services.yaml"
    async with engine("--max-num-seqs", "16", tokens_per_second="40") as busy:
        file.write_text(document(busy.port, spec="engine: {maxConcurrency: 16}\n  queue: {maxDepth: 300}"))
        async with gateways(file, 2) as group, asyncio.TaskGroup() as tasks:
            turn = iter(range(10_000))

            def ports() -> list[int]:
                first = next(turn) % 2
                return [group.members[first].port, group.members[1 - first].port]

            seen: Counter[str] = Counter()
            watching = tasks.create_task(watch_engine(busy.port, seen))
            streams = [Stream() for _ in range(200)]
            asked = [tasks.create_task(ask(ports, stream, 20)) for stream in streams[:100]]
            for number, member in enumerate(group.members):
                ending = tasks.create_task(member.end(signal.SIGTERM))
                for stream in streams[100 + 50 * number : 150 + 50 * number]:
                    asked.append(tasks.create_task(ask(ports, stream, 20)))
                    await asyncio.sleep(0.005)
                await ending
                await member.start()
                await group.until_agreed(2)
            async with asyncio.timeout(120):
                await asyncio.gather(*asked)
            watching.cancel()
            assert Counter((s.status, s.whole) for s in streams) == {(200, True): 200}
            assert seen["most"] <= 16


async def test_the_arbiters_death_costs_only_the_connections_that_it_had(tmp_path: Path) -> None:
    file = tmp_path / "services.yaml"
    async with engine("--max-num-seqs", "64", tokens_per_second="40") as busy:
        file.write_text(document(busy.port, spec="engine: {maxConcurrency: 8}\n  queue: {maxDepth: 60}"))
        async with gateways(file, 3) as group, asyncio.TaskGroup() as tasks:
            arbiter = await group.until_agreed(3)
            others = [member for member in group.members if member is not arbiter]
            seen: Counter[str] = Counter()
            watching = tasks.create_task(watch_engine(busy.port, seen))
            streams = {member.port: [Stream() for _ in range(20)] for member in group.members}
            asked = [
                tasks.create_task(ask(lambda port=port: [port], stream, 120))  # type: ignore[misc]
                for port, of_port in streams.items()
                for stream in of_port
            ]
            await group.until_depth(60)
            await arbiter.end(signal.SIGKILL)
            successor = await group.until_agreed(2)
            assert successor is not arbiter
            extra = [Stream() for _ in range(60)]  # 40 are still held: 20 places are free at most
            asked += [
                tasks.create_task(ask(lambda n=n: [others[n % 2].port], stream, 40))  # type: ignore[misc]
                for n, stream in enumerate(extra)
            ]
            async with asyncio.timeout(120):
                await asyncio.gather(*asked)
            watching.cancel()
            survivors = [stream for member in others for stream in streams[member.port]]
            assert Counter((s.status, s.whole) for s in survivors) == {(200, True): 40}
            assert any(stream.broken for stream in streams[arbiter.port])
            assert {s.status for s in extra} == {200, 429}
            assert not any(s.broken for s in extra)
            assert seen["most"] <= 8
            await group.until_depth(0)
