"""A stream of events that breaks off after any byte: the error event stands where a client can read it."""

from __future__ import annotations

import asyncio

import pytest

from tidegate.domain import api_errors as errors
from tidegate.domain.service import ServiceKey
from tidegate.gateway import endings
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.upstream import Upstream

ERROR = errors.worker_died(ServiceKey("team-a", "qwen"), "it broke")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
EVENTS = (b'data: {"a": 1}\n\n', b"data: 2\r\n\r\n", b": a comment\n\n", b"data: [DONE]\n\n")
CHUNKED = (
    b"transfer-encoding: chunked\r\n\r\n",
    b"".join(
        (
            b"%x\r\n%b\r\n" % (len(EVENTS[0]), EVENTS[0]),
            b"4;a=b\r\n%b\r\n" % EVENTS[1][:4],  # an event in two chunks
            b"%x\r\n%b\r\n" % (len(EVENTS[1]) - 4, EVENTS[1][4:]),
            b"%X\r\n%b\r\n" % (len(EVENTS[2] + EVENTS[3]), EVENTS[2] + EVENTS[3]),
            b"0\r\nx-trailer: 1\r\n\r\n",
        )
    ),
)


class FakeTransport(asyncio.Transport):
    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def abort(self) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0


class Client:
    """What a client of one answer reads; a Receiver."""

    head_only = False

    def __init__(self) -> None:
        self.got = b""
        self.ended = False
        self.failed: list[tuple[str, bool]] = []

    def answer_began(self, upstream: Upstream, _head: AnswerHead, _raw: bytes, rest: bytes) -> None:
        upstream.write = self._more
        self.got += rest

    def _more(self, data: bytes) -> None:
        self.got += data

    def answer_ended(self) -> None:
        self.ended = True

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        self.failed.append((reason, unused))

    def worker_drains(self) -> None: ...


def cut(framing: bytes, body: bytes, *reads: int) -> tuple[Client, bytes]:
    """The client of a worker whose body came in reads of so many bytes and then no more; its last event."""
    client, upstream = Client(), Upstream(lambda _: None)
    upstream.connection_made(FakeTransport())
    upstream.send(client, b"", b"")
    upstream.data_received(HEAD + framing + body[: reads[0]])
    at = reads[0]
    for size in reads[1:]:
        if size and not client.ended:
            upstream.data_received(body[at : at + size])
        at += size
    return client, endings.end_of_stream(upstream, ERROR, dechunked=False)


class Broken(Exception):  # noqa: N818
    """Not a whole chunked body."""


def dechunked(data: bytes) -> bytes:
    """The body of a whole chunked answer; Broken where it is not whole, or not chunked."""
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        digits = line.partition(b";")[0]
        if not digits:
            raise Broken(data)
        size = int(digits, 16)
        if not size:
            if data != b"\r\n":
                raise Broken(data)
            return body
        if not end or data[size : size + 2] != b"\r\n":
            raise Broken(data)
        body, data = body + data[:size], data[size + 2 :]


def events(body: bytes) -> list[bytes]:
    """The data of each whole event, as a client of server-sent events reads them."""
    blocks = body.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]
    data = [block.lstrip(b"\n") for block in blocks]
    return [block.removeprefix(b"data: ") for block in data if block.startswith(b"data: ")]


@pytest.mark.parametrize("first", range(len(CHUNKED[1])))
def test_a_chunked_stream_that_breaks_off_ends_with_an_event_or_visibly_not_at_all(first: int) -> None:
    framing, body = CHUNKED
    told = 0
    for second in range(len(body) - first):
        client, event = cut(framing, body, first, second)
        assert not client.ended
        if not event:
            with pytest.raises(Broken):
                dechunked(client.got)
            continue
        told += 1
        *before, last = events(dechunked(client.got + event))
        assert last == ERROR.body()
        assert before[:1] == [b'{"a": 1}'][: len(before)]
    assert told >= (first <= body.index(b"0\r\nx-trailer"))  # the test has met the end of a chunk


def test_an_event_that_broke_off_inside_does_not_swallow_the_error() -> None:
    framing, body = CHUNKED
    end_of_half_an_event = body.index(b"data", 20) + 6
    client, event = cut(framing, body, end_of_half_an_event)
    assert events(dechunked(client.got + event))[-1] == ERROR.body()


@pytest.mark.parametrize("at", range(len(b"".join(EVENTS))))
def test_a_stream_until_the_end_of_its_connection_can_say_why_it_ends_anywhere(at: int) -> None:
    client, event = cut(b"connection: close\r\n\r\n", b"".join(EVENTS), at)
    assert events(client.got + event)[-1] == ERROR.body()


def test_an_answer_with_a_length_has_no_place_for_an_event() -> None:
    body = b"".join(EVENTS)
    _, event = cut(b"content-length: %d\r\n\r\n" % len(body), body, 16)
    assert event == b""
