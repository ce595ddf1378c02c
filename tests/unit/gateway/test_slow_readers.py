"""The end of an answer that its client reads slowly."""

from __future__ import annotations

import asyncio
from typing import cast

from tidegate.gateway.answering import Host
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.settings import GatewaySettings


class Wire:
    """A transport with ``unsent`` bytes that its client has not read."""

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: bytes) -> None:
        """Nothing is written in these tests."""

    def close(self) -> None:
        """It ends when the last byte is sent."""

    def abort(self) -> None:
        self.aborted = True


class Port:
    """The host of one connection."""

    def __init__(self) -> None:
        self.settings = GatewaySettings(linger_timeout=5.0)
        self.connections: set[ClientConnection] = set()
        self.draining = False

    def body_limit(self) -> int:
        return 0


def closing(wire: Wire) -> ClientConnection:
    connection = ClientConnection(cast(Host, Port()), lambda: 0.0)
    connection.connection_made(cast(asyncio.Transport, wire))
    connection.close()
    return connection


def test_a_closed_connection_stays_as_long_as_its_client_reads_on() -> None:
    wire = Wire(300_000)
    connection = closing(wire)
    for second in range(5, 50, 5):
        wire.unsent -= 1000
        connection.sweep(second + 0.1 * second)
        assert not wire.aborted


def test_a_closed_connection_whose_client_reads_nothing_more_is_aborted() -> None:
    wire = Wire(300_000)
    connection = closing(wire)
    connection.sweep(5.1)
    assert not wire.aborted
    connection.sweep(10.2)
    assert wire.aborted


def test_a_closed_connection_with_nothing_to_send_is_aborted_in_time() -> None:
    wire = Wire(0)
    closing(wire).sweep(5.1)
    assert wire.aborted
