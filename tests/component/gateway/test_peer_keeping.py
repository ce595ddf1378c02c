"""How a gateway keeps its connections to the others, and takes its last clients."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Iterable

import pytest

from tests.component.gateway.harness import KEY, HandSubstrate, config, connection, gateway, until
from tidegate.domain.peers import Address, Link
from tidegate.domain.service import ServiceView
from tidegate.gateway import peer_frames as frames
from tidegate.gateway import peer_keeper
from tidegate.gateway.backlog import accept_backlog
from tidegate.gateway.peer_source import StaticPeers


class HandPeers:
    """A list that the test changes."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = addresses
        self.tell: Callable[[Iterable[Address]], None] = lambda _: None

    async def watch(self, tell: Callable[[Iterable[Address]], None]) -> None:
        self.tell = tell
        tell(self.addresses)
        await asyncio.Event().wait()


async def greeter(ends: bool) -> tuple[asyncio.Server, int, list[asyncio.StreamWriter]]:
    """Something that greets as a gateway, and then ends the connection or says nothing."""
    met: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(writer)
        writer.write(frames.hello("greeter", 1))
        await reader.read(1)
        if ends:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1]), met


async def test_a_gateway_that_ends_each_connection_at_once_is_not_tried_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peer_keeper, "_AGAIN_SECONDS", 3600.0)
    server, port, met = await greeter(ends=True)
    address, substrate = ("127.0.0.1", port), HandSubstrate(ServiceView(config()))
    async with gateway(substrate, peers=StaticPeers([address]), peer_port=0) as one:
        mesh = one.fleet.mesh
        assert mesh is not None
        peer = mesh.view.peers[address]
        await until(lambda: bool(peer.id) and peer.link is Link.TRYING)
        for _ in range(20):  # as long as 20 others take to connect
            async with connection(one.port):
                pass
        assert len(met) == 1
    server.close()


async def test_an_address_that_is_listed_again_while_it_is_connected_is_kept() -> None:
    server, port, met = await greeter(ends=False)
    address = ("127.0.0.1", port)
    peers = HandPeers(address)
    substrate = HandSubstrate(ServiceView(config()))
    async with gateway(substrate, peers=peers, peer_port=0) as one:
        mesh = one.fleet.mesh
        assert mesh is not None
        await until(lambda: mesh.view.peers[address].link is Link.UP)
        peers.tell([])
        peers.tell([address])
        met[0].transport.abort()
        await until(lambda: len(met) == 2)
    server.close()


async def test_an_address_that_nobody_could_have_is_gone_and_not_waited_for() -> None:
    substrate = HandSubstrate(ServiceView(config()))
    nobody = ("x" * 70 + ".example", 1)
    async with gateway(substrate, peers=StaticPeers([nobody]), peer_port=0) as one:
        seat = one.fleet.services[KEY].seat
        assert seat is not None
        await until(lambda: seat.acts)


async def test_a_drain_without_a_free_file_descriptor_keeps_what_it_has() -> None:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0), backlog=10)
    server = await loop.create_server(asyncio.Protocol, sock=listening, start_serving=False)
    clients = [socket.create_connection(listening.getsockname()) for _ in range(3)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = socket.socket()
    double = free.fileno()
    free.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (double + 1, limits[1]))  # the listening socket's double
    met: list[asyncio.Protocol] = []

    def protocol() -> asyncio.Protocol:
        met.append(asyncio.Protocol())
        return met[-1]

    try:
        await accept_backlog(server, protocol)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for client in clients:
            client.close()
    assert len(met) < 3
