"""The keeper of a connection to another gateway outlives its own defects."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from tests.component.gateway.harness import until
from tidegate.domain.peers import Peer
from tidegate.gateway.mesh import Mesh
from tidegate.gateway.peer_keeper import PeerKeeper
from tidegate.gateway.peer_link import PeerLink


class BrokenMesh:
    """A mesh that cannot even say hello."""

    source_address = None

    def __init__(self) -> None:
        self.tries = 0

    def hello(self) -> bytes:
        self.tries += 1
        raise TypeError("a defect")

    def lost(self, link: PeerLink) -> None:
        """See Ears."""


async def test_a_keeper_that_fails_says_so_and_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    address = ("127.0.0.1", int(server.sockets[0].getsockname()[1]))
    mesh = BrokenMesh()
    keeper = PeerKeeper(cast(Mesh, mesh), address, Peer())
    keeper.start()
    try:
        await until(lambda: mesh.tries >= 2)
        assert "a defect" in caplog.text
        assert f"127.0.0.1:{address[1]}" in caplog.text
    finally:
        await keeper.close()
        server.close()
