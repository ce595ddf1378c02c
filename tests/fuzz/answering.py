"""What must hold for any bytes from a worker, however they are cut: a fuzzer's target, and a test's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, cast

from tests.fuzz.reading import pieces
from tidegate.gateway.answer import AnswerHead
from tidegate.gateway.passage import answer_head
from tidegate.gateway.upstream import MAX_HEAD, Upstream

_SENT = re.compile(rb"HTTP/1\.1 \d{3}(?: [^\r\n]*)?\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*\r\n)*\r\n")


class Transport:
    """Where an Upstream writes, and nobody reads."""

    def write(self, data: bytes) -> None:
        """Takes the request."""

    def abort(self) -> None:
        """Closes."""


@dataclass
class Client:
    """The receiver of one answer, and what it would have passed on."""

    head_only: bool = False
    sent: bytearray = field(default_factory=bytearray)
    heads: int = 0
    unused: bool = False
    ends: list[str] = field(default_factory=list)

    def answer_began(self, upstream: Upstream, head: AnswerHead, raw: bytes, rest: bytes) -> None:
        """See Receiver."""
        self.heads += 1
        own = answer_head(head, raw, b"x-request-id: 1\r\n", close=head.until_close)
        assert _SENT.fullmatch(own), own
        _check_framing(own)
        self.sent += own + rest
        upstream.write = self.sent.extend

    def answer_ended(self) -> None:
        """See Receiver."""
        self.ends.append("ended")

    def upstream_failed(self, reason: str, *, unused: bool) -> None:
        """See Receiver."""
        assert reason
        self.unused = unused
        self.ends.append("failed")

    def worker_drains(self) -> None:
        """See Receiver."""
        self.ends.append("drains")


def _check_framing(head: bytes) -> None:
    """A client must not be able to read two lengths, or a length and a coding."""
    lower = head.lower()
    lengths, codings = lower.count(b"\r\ncontent-length:"), lower.count(b"\r\ntransfer-encoding:")
    assert lengths + codings <= 1, head


def read(parts: list[bytes], *, head_only: bool = False) -> Client:
    """Feeds one answer; AssertionError where it ends twice or keeps too much. ``head_only``: to a HEAD."""
    client, upstream = Client(head_only), Upstream(lambda _: None)
    upstream.connection_made(cast(Any, Transport()))
    upstream.send(client, b"GET / HTTP/1.1\r\n\r\n", b"")
    for part in parts:
        if client.ends:
            break
        upstream.data_received(part)
        assert upstream.unread <= MAX_HEAD
    assert len(client.ends) <= 1
    assert client.heads <= 1
    return client


def check(data: bytes) -> Client:
    """What is passed on does not depend on how ``data`` is cut: AssertionError where it does.

    Where bytes follow the answer's end in the same read it has failed, and in another read it has ended: the
    connection is closed either way.
    """
    whole = read([data])
    for cut in (read([data[at : at + 1] for at in range(len(data))]), read(pieces(data, 0))):
        if "failed" in whole.ends:
            assert cut.ends
        else:
            assert (cut.ends, cut.heads) == (whole.ends, whole.heads), (cut, whole)
            # Cut within the last line ends, some more of them cannot be told from those that belong there.
            assert cut.sent.rstrip(b"\r\n") == whole.sent.rstrip(b"\r\n"), (cut, whole)
    return whole


SEEDS: tuple[bytes, ...] = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
    b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\ncontent-length: 9\r\n\r\n" * 2 + b"HTTP/1.1/P",
    b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nabc",
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    b"HTTP/1.1 503 Service Unavailable\r\nx-tidegate-draining: 1\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
    b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=5\r\nconnection: keep-alive, x\r\ncontent-length: 0\r\n\r\n",
)
