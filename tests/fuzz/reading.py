"""What must hold for any bytes from a client, however they are cut: a fuzzer's target, and a test's."""

from __future__ import annotations

import itertools
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tidegate.gateway.passage import request_head
from tidegate.gateway.request import MAX_HEAD, Refusal, Request
from tidegate.gateway.request_reader import RequestReader

LIMIT = 100_000  # bytes of a body
_SENT = re.compile(
    rb"[A-Z-]+ /[!-~]* HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)+\r\n"
)
_HOP = re.compile(
    rb"^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|expect):", re.I | re.M
)


@dataclass(frozen=True)
class Reading:
    """What came of some bytes."""

    requests: tuple[tuple[bytes, bytes, bytes, bytes], ...]  # method, target, host, body of each whole one
    refused: bool
    ended: bool  # the connection's last request was read


def read(pieces: Iterator[bytes] | list[bytes]) -> Reading:
    """Feeds one connection; AssertionError where it keeps too much or sends on what it must not."""
    reader = RequestReader(lambda: LIMIT)
    fed, refused = 0, False
    for piece in pieces:
        fed += len(piece)
        try:
            reader.feed(piece)
        except Refusal as refusal:
            _check_refusal(refusal)
            refused = True
            break
        _check_memory(reader, fed)
    whole = [request for request in reader.requests if request.complete]
    for request in whole:
        _check_sent(request)
    return Reading(
        tuple((r.head.method, r.head.target, r.head.host, r.body()) for r in whole), refused, reader.closed
    )


def check(data: bytes) -> Reading:
    """The same comes of ``data`` whole, byte by byte, and cut at random: AssertionError where not."""
    whole = read([data])
    bytewise = read(data[at : at + 1] for at in range(len(data)))
    assert bytewise == whole, (bytewise, whole)
    for seed in range(2):
        cut = read(pieces(data, seed))
        assert cut == whole, (cut, whole)
    return whole


def pieces(data: bytes, seed: int) -> list[bytes]:
    """``data`` cut at places that it alone decides, and between requests now and then."""
    chance = random.Random(zlib.crc32(data) + seed)  # noqa: S311 - to be repeated, not to be secret
    cuts = {chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 8))}
    ends = [match.start() for match in re.finditer(rb"(?:GET|PUT|POST) /", data)]
    edges = sorted({0, len(data), *cuts, *(ends if seed else ())})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def _check_memory(reader: RequestReader, fed: int) -> None:
    held = sum(len(request.body()) for request in reader.requests)
    assert held <= fed
    assert sum(request.received for request in reader.requests) == held
    assert reader.unread <= MAX_HEAD


def _check_refusal(refusal: Refusal) -> None:
    assert 400 <= refusal.error.status <= 505
    assert refusal.error.message


def _check_sent(request: Request) -> None:
    """The head that a worker would get is one head, with one length and nothing of the client's hop."""
    head = request_head(request, request.head.target, b"worker:1", b"id")
    assert _SENT.fullmatch(head), head
    assert not _HOP.search(head), head
    lower = head.lower()
    for name in (b"\r\nhost:", b"\r\nx-request-id:"):
        assert lower.count(name) == 1, head
    assert lower.count(b"\r\ncontent-length:") <= 1, head
    if request.received:
        assert b"\r\ncontent-length: %d\r\n" % request.received in lower, head
