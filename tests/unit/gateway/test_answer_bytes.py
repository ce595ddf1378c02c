"""An answer's bytes as a worker sends them, well and badly: what the client gets, however they are cut."""

from __future__ import annotations

import pytest

from tests.fuzz.answering import SEEDS, check, read

_LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
_EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_is_passed_on_however_an_answer_is_cut(seed: bytes) -> None:
    check(seed)


@pytest.mark.parametrize("stray", [b"\r\n", b"\n", b"\r\n\r\n\r\n"])
@pytest.mark.parametrize(
    "whole",
    [_LENGTH + b"ok", _EMPTY, _LENGTH + b"k\n", _CHUNKED + b"2\r\nok\r\n0\r\n\r\n"],
)
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_line_ends_after_an_answer_do_not_reach_the_client(whole: bytes, stray: bytes, cut: int) -> None:
    parts = [whole[: len(whole) - cut], whole[len(whole) - cut :] + stray] if cut else [whole + stray]
    client = read(parts)
    assert client.ends == ["ended"]
    assert bytes(client.sent).partition(b"\r\n\r\n")[2] == whole.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.0 020 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 020 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.0 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
)
def test_an_answer_that_two_ends_could_read_in_two_ways_is_not_passed_on(head: bytes) -> None:
    client = read([head])
    assert client.ends == ["failed"]
    assert client.sent == b""


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 43\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 43\r\n\r\n",
    ],
)
def test_what_a_worker_sends_behind_its_answer_to_a_head_is_no_answer_to_the_next_request(
    head: bytes,
) -> None:
    client = read([head + b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother"], head_only=True)
    assert client.ends == ["ended"]
    assert bytes(client.sent).endswith(b"\r\n\r\n")
    assert client.sent.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("head_only", [True, False])
def test_a_line_end_behind_an_answer_without_a_body_does_not_reach_the_client(head_only: bool) -> None:
    for head in (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    ):
        client = read([head + b"\r\n"], head_only=head_only)
        assert client.ends == ["ended"]
        assert client.sent.count(b"\r\n\r\n") == 1
        assert not client.sent.endswith(b"\r\n\r\n\r\n")
