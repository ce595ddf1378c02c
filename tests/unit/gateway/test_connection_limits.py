"""The limits in time of a client's connection, on a clock that the test moves."""

from __future__ import annotations

from typing import cast

from tidegate.domain.api_errors import ApiError
from tidegate.gateway.connection import ClientConnection
from tidegate.gateway.request import Request
from tidegate.gateway.settings import GatewaySettings

SETTINGS = GatewaySettings(header_timeout=15, idle_timeout=75, linger_timeout=5)
ASK = b"GET / HTTP/1.1\r\nHost: g\r\n\r\n"


class Transport:
    """Remembers what was done with it."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.did.append("close")

    def abort(self) -> None:
        self.did.append("abort")

    def get_write_buffer_size(self) -> int:
        return 0  # everything is sent at once

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.did.append("eof")

    def pause_reading(self) -> None:
        self.did.append("pause")

    def resume_reading(self) -> None:
        self.did.append("resume")


class Echo:
    """Answers at once."""

    reading = False

    def __init__(self, connection: ClientConnection, request: Request) -> None:
        self.request = request
        self._connection = connection

    def start(self) -> None:
        self._connection.write(b"answer")
        self._connection.finished(self.request, keep_alive=self.request.head.keep_alive)

    def body_arrived(self) -> None: ...
    def sweep(self, now: float) -> None: ...
    def body_failed(self, error: ApiError) -> None: ...
    def client_gone(self) -> None: ...
    def deadline_passed(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class World:
    """The host of one connection, and its clock."""

    settings = SETTINGS
    draining = False

    def __init__(self) -> None:
        self.now = 1000.0
        self.connections: set[ClientConnection] = set()
        self.refusals: list[ApiError] = []
        self.transport = Transport()
        self.connection = ClientConnection(self, lambda: self.now)
        self.connection.connection_made(cast("object", self.transport))  # type: ignore[arg-type]

    def body_limit(self) -> int:
        return 1000

    def answering(self, connection: ClientConnection, request: Request) -> Echo:
        return Echo(connection, request)

    def refused(self, _request: Request | None, error: ApiError) -> None:
        self.refusals.append(error)

    def after(self, seconds: float) -> list[str]:
        """What the sweep has done ``seconds`` later."""
        self.now += seconds
        self.connection.sweep(self.now)
        return self.transport.did


def test_a_connection_that_says_nothing_is_closed_after_the_header_timeout() -> None:
    world = World()
    assert world.after(14.9) == []
    assert world.after(0.2) == ["abort"]


def test_a_header_that_trickles_in_is_refused_after_its_time_however_often_a_byte_comes() -> None:
    world = World()
    for byte in ASK[:14]:
        world.connection.data_received(bytes((byte,)))
        world.after(1)
    world.after(1.1)
    assert world.transport.written.startswith(b"HTTP/1.1 408 ")
    assert [error.code for error in world.refusals] == ["request_timeout"]


def test_an_idle_connection_stays_for_the_idle_timeout_after_each_answer() -> None:
    world = World()
    for _ in range(3):
        world.connection.data_received(ASK)
        assert world.after(74) == []
    assert world.after(1.1) == ["abort"]


def test_a_refused_client_may_go_on_sending_for_half_a_minute_and_is_then_cut() -> None:
    world = World()
    world.connection.data_received(b"GET / HTTP/1.1\nno\n\n")
    assert world.transport.did == ["eof"]
    for _ in range(14):
        world.connection.data_received(b"x" * 1000)
        assert world.after(2) == ["eof"]
    world.connection.data_received(b"x" * 1000)
    assert world.after(2.1) == ["eof", "abort"]


def test_a_refused_client_that_falls_silent_is_cut_after_five_seconds() -> None:
    world = World()
    world.connection.data_received(b"GET / HTTP/1.1\nno\n\n")
    assert world.after(4.9) == ["eof"]
    assert world.after(0.2) == ["eof", "abort"]


def test_the_refusal_of_bad_bytes_is_the_one_that_was_counted() -> None:
    world = World()
    world.connection.data_received(b"GET / HTTP/2.0\r\nHost: g\r\n\r\n")
    assert [error.status for error in world.refusals] == [505]
    assert world.transport.written.partition(b"\r\n\r\n")[2] == world.refusals[0].body()


def test_empty_lines_do_not_keep_a_connection() -> None:
    world = World()
    world.connection.data_received(ASK)
    world.connection.data_received(b"\r\n")
    assert world.refusals == []
    world.connection.data_received(b"\r\n")
    assert [error.status for error in world.refusals] == [400]


def test_a_client_that_asks_and_does_not_read_is_neither_answered_nor_read_further() -> None:
    world = World()
    world.connection.pause_writing()
    world.connection.data_received(3 * ASK)
    assert world.transport.written == b""
    assert world.transport.did == ["pause"]
    world.connection.resume_writing()
    assert world.transport.written == 3 * b"answer"
    assert world.transport.did == ["pause", "resume"]


def test_answers_that_fill_the_buffer_stop_the_ones_behind_them() -> None:
    world = World()
    write, world.connection.send = world.connection.send, lambda _: world.connection.pause_writing()
    world.connection.data_received(3 * ASK)
    assert len(world.connection.reader.requests) == 2
    world.connection.send = write
    world.connection.resume_writing()
    assert world.transport.written == 2 * b"answer"


def test_a_client_that_never_reads_what_it_asked_for_is_cut_after_the_idle_timeout() -> None:
    world = World()
    world.connection.pause_writing()
    world.connection.data_received(3 * ASK)
    world.after(74.9)
    assert world.transport.did == ["pause"]
    world.after(0.2)
    assert world.transport.did == ["pause", "abort"]


def test_a_drain_answers_what_waits_for_its_client_to_read() -> None:
    world = World()
    world.connection.pause_writing()
    world.connection.data_received(2 * ASK)
    world.connection.drain()
    assert world.transport.did == ["pause"]
    world.connection.resume_writing()
    assert world.transport.written == 2 * b"answer"
