"""Which address a gateway is known by at the others."""

from __future__ import annotations

import logging

import pytest

from tests.component.gateway.harness import HandSubstrate, config, gateway, until
from tests.ports import free_ports
from tidegate.domain.service import ServiceView
from tidegate.gateway.peer_source import StaticPeers


async def test_gateways_on_two_addresses_of_one_host_find_each_other_both_ways() -> None:
    view, ports = ServiceView(config()), free_ports(2)
    addresses = list(zip(("127.0.0.1", "127.0.0.2"), ports, strict=True))
    peers = StaticPeers(addresses)
    async with gateway(HandSubstrate(view), peers=peers, peer_port=ports[0]) as one:
        await until(lambda: one.fleet.mesh is not None and len(one.fleet.mesh.status()) == 1)
        host, port = addresses[1]
        async with gateway(HandSubstrate(view), peers=peers, peer_host=host, peer_port=port) as two:
            meshes = [each.fleet.mesh for each in (one, two)]
            await until(lambda: all(m and [p["link"] for p in m.status()] == ["up"] for m in meshes))


async def test_a_connection_from_an_unknown_address_is_closed_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    view, (first, second) = ServiceView(config()), free_ports(2)
    stranger = StaticPeers([("127.0.0.1", first)])
    known = StaticPeers([("127.0.0.3", second)])
    caplog.set_level(logging.INFO, "tidegate.gateway")
    async with (
        gateway(HandSubstrate(view), peers=known, peer_port=first),
        gateway(HandSubstrate(view), peers=stranger, peer_host="127.0.0.2", peer_port=second) as other,
    ):
        said = "a connection from 127.0.0.2 to the peer port was closed: no gateway is known there"
        await until(lambda: said in caplog.messages)
        assert other.fleet.mesh is not None
        for _ in range(3):
            next(iter(other.fleet.mesh._keepers.values())).poke()
        await until(lambda: other.fleet.mesh is not None and other.fleet.mesh.status()[0]["link"] == "gone")
        assert caplog.messages.count(said) == 1
