"""Requests of any shape, cut anywhere: the same requests come out."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.gateway.request import Refusal
from tidegate.gateway.request_reader import RequestReader

_BODIES = st.binary(max_size=300)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """A request's bytes, and the target and the body that it stands for."""
    target = b"/" + draw(st.text("abc/?=~", max_size=20)).encode()
    body = draw(_BODIES)
    head = b"POST %b HTTP/1.1\r\nHost: g\r\nX: %d\r\n" % (target, draw(st.integers(0, 1)))
    if draw(st.booleans()):
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, target, body
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + _chunked(draw, body), target, body


def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    framed, at = b"", 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        extension = draw(st.sampled_from([b"", b";a", b";a=b", b';a="b c"']))
        framed += b"%x%b\r\n%b\r\n" % (size, extension, body[at : at + size])
        at += size
    trailer = draw(st.sampled_from([b"", b"X: y\r\n"]))
    return framed + b"0\r\n" + trailer + b"\r\n"


@settings(deadline=None)
@given(st.lists(requests(), min_size=1, max_size=5), st.data())
def test_the_same_requests_come_out_wherever_the_bytes_are_cut(
    sent: list[tuple[bytes, bytes, bytes]], data: st.DataObject
) -> None:
    whole = b"".join(raw for raw, _, _ in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    reader = RequestReader(lambda: 1_000_000)
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        reader.feed(whole[start:end])
    assert [(r.head.target, r.body(), r.complete) for r in reader.requests] == [
        (target, body, True) for _, target, body in sent
    ]
    assert not reader.begun


@settings(deadline=None, max_examples=300)
@given(requests(), st.data())
def test_a_flipped_byte_is_refused_or_read_and_never_crashes(
    sent: tuple[bytes, bytes, bytes], data: st.DataObject
) -> None:
    """Whatever comes, the reader refuses or goes on; it never reads past what it was given."""
    raw = bytearray(sent[0])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    reader = RequestReader(lambda: 1_000_000)
    with contextlib.suppress(Refusal):
        reader.feed(bytes(raw))
    total = sum(request.received for request in reader.requests)
    assert total <= len(raw)
