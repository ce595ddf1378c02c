"""What is HTTP/1.1 and what is not: bytes in, a request or a clear refusal out."""

from __future__ import annotations

import pytest

from tidegate.gateway.request import Refusal, Request
from tidegate.gateway.request_reader import RequestReader

H = b"Host: g\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"


def read(data: bytes, size: int = 0, limit: int = 100_000) -> list[Request]:
    """The whole requests in ``data``, fed at once or ``size`` bytes at a time."""
    reader = RequestReader(lambda: limit)
    for start in range(0, len(data), size or len(data)):
        reader.feed(data[start : start + (size or len(data))])
    return [request for request in reader.requests if request.complete]


def feed_for_ever(reader: RequestReader, data: bytes) -> None:
    """The same bytes again and again, ten million of them at most."""
    for _ in range(10_000_000 // len(data)):
        reader.feed(data)


WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
REFUSED: list[tuple[str, bytes, int]] = [
    ("HTTP/0.9", b"GET /\r\n\r\n", 505),
    ("no version", b"GET / \r\n" + H + b"\r\n", 400),
    ("HTTP/2", b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\n" + H + b"\r\n", 505),
    ("HTTP/3", b"GET / HTTP/3.0\r\n" + H + b"\r\n", 505),
    ("preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("lower-case protocol", b"GET / http/1.1\r\n" + H + b"\r\n", 400),
    ("lower-case method", b"get / HTTP/1.1\r\n" + H + b"\r\n", 501),
    ("unknown method", b"FOO / HTTP/1.1\r\n" + H + b"\r\n", 501),
    ("CONNECT", b"CONNECT g:80 HTTP/1.1\r\n" + H + b"\r\n", 501),
    ("bare LF after the request line", b"GET / HTTP/1.1\n" + H + b"\r\n", 400),
    ("bare LF after a field", b"GET / HTTP/1.1\r\nHost: g\nX: y\r\n\r\n", 400),
    ("bare CR in a field", b"GET / HTTP/1.1\r\n" + H + b"X: a\rb\r\n\r\n", 400),
    ("obs-fold", b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\nHost : g\r\n\r\n", 400),
    ("space before the first field", b"GET / HTTP/1.1\r\n Host: g\r\n\r\n", 400),
    ("field without a colon", b"GET / HTTP/1.1\r\n" + H + b"nonsense\r\n\r\n", 400),
    ("field without a name", b"GET / HTTP/1.1\r\n" + H + b": x\r\n\r\n", 400),
    ("NUL in a field", b"GET / HTTP/1.1\r\n" + H + b"X: a\x00b\r\n\r\n", 400),
    ("control character in a field", b"GET / HTTP/1.1\r\n" + H + b"X: a\x01b\r\n\r\n", 400),
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
    ("two different Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("list in Host", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("path in Host", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("user in Host", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("two lengths, equal", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\n" * 2 + b"\r\na", 400),
    ("two lengths", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
    ("list of lengths", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1, 1\r\n\r\na", 400),
    ("signed length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +1\r\n\r\na", 400),
    ("negative length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\na", 400),
    ("hexadecimal length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x1\r\n\r\na", 400),
    ("empty length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n\r\na", 400),
    (
        "length beyond 64 bits",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        400,
    ),
    ("length and coding", CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\n") + b"0\r\n\r\n", 400),
    ("list of codings", CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 501),
    ("chunked not last", CHUNKED.replace(b"chunked", b"chunked, gzip") + b"0\r\n\r\n", 400),
    (
        "chunked twice",
        CHUNKED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"0\r\n\r\n",
        400,
    ),
    ("unknown coding", CHUNKED.replace(b"chunked", b"gzip") + b"0\r\n\r\n", 501),
    ("coding with a vertical tab", CHUNKED.replace(b": chunked", b":\x0bchunked") + b"0\r\n\r\n", 400),
    ("coding in HTTP/1.0", CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n", 400),
    ("chunk size with 0x", CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", 400),
    ("chunk size with a sign", CHUNKED + b"-1\r\na\r\n0\r\n\r\n", 400),
    ("chunk size with a space", CHUNKED + b"1 \r\na\r\n0\r\n\r\n", 400),
    ("chunk size beyond 64 bits", CHUNKED + b"f" * 17 + b"\r\na\r\n", 400),
    ("chunk size with a bare LF", CHUNKED + b"1\na\r\n0\r\n\r\n", 400),
    ("chunk longer than it says", CHUNKED + b"1\r\nab\r\n0\r\n\r\n", 400),
    ("length in a trailer", CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", 400),
    ("coding in a trailer", CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("fragment in the target", b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("target without a slash", b"GET a HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("asterisk", b"GET * HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("space in the target", b"GET /a b HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("tab in the target", b"GET /\ta HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("control character in the target", b"GET /\x01 HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("eight bits in the target", b"GET /\xff HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("credentials in the target", b"GET http://u:p@g/ HTTP/1.1\r\n" + H + b"\r\n", 400),
    ("target of 9 KB", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    ("field of 9 KB", b"GET / HTTP/1.1\r\n" + H + b"X: " + b"x" * 9000 + b"\r\n\r\n", 431),
    ("fields of 33 KB", b"GET / HTTP/1.1\r\n" + H + (b"X: " + b"x" * 1100 + b"\r\n") * 30 + b"\r\n", 431),
    ("101 fields", b"GET / HTTP/1.1\r\n" + H + b"X: y\r\n" * 100 + b"\r\n", 431),
    ("100 trailers", CHUNKED + b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
    ("body over the limit", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 100001\r\n\r\n", 413),
    ("chunked body over the limit", CHUNKED + b"186a1\r\n" + b"x" * 100001 + b"\r\n0\r\n\r\n", 413),
    ("unknown expectation", b"POST / HTTP/1.1\r\n" + H + b"Expect: wonders\r\n\r\n", 417),
    ("websocket by POST", b"POST / HTTP/1.1\r\n" + H + WEBSOCKET + b"\r\n", 400),
    ("websocket by HTTP/1.0", b"GET / HTTP/1.0\r\n" + H + WEBSOCKET + b"\r\n", 400),
    ("websocket with a body", b"GET / HTTP/1.1\r\n" + H + WEBSOCKET + b"Content-Length: 2\r\n\r\nab", 400),
    ("websocket with chunks", CHUNKED.replace(b"POST", b"GET").replace(H, H + WEBSOCKET), 400),
    ("websocket twice", b"GET / HTTP/1.1\r\n" + H + WEBSOCKET + WEBSOCKET + b"\r\n", 400),
    ("websocket or h2c", b"GET / HTTP/1.1\r\n" + H + WEBSOCKET + b"Upgrade: h2c\r\n\r\n", 400),
    ("websocket without Connection", b"GET / HTTP/1.1\r\n" + H + b"Upgrade: websocket\r\n\r\n", 400),
]


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize(
    ("data", "status"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused_with_a_status_and_a_message_however_it_is_cut(data: bytes, status: int, size: int) -> None:
    with pytest.raises(Refusal) as caught:
        read(data, size)
    assert caught.value.error.status == status
    assert caught.value.error.message


ACCEPTED: list[tuple[str, bytes, bytes]] = [
    ("plain", b"GET / HTTP/1.1\r\n" + H + b"\r\n", b""),
    ("an empty line before", b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", b""),
    ("HTTP/1.0 without Host", b"GET / HTTP/1.0\r\n\r\n", b""),
    ("length", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 2\r\n\r\nab", b"ab"),
    ("length with zeros and spaces", b"POST / HTTP/1.1\r\n" + H + b"Content-Length:  002 \r\n\r\nab", b"ab"),
    ("chunks", CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", b"ab"),
    ("chunks with extensions and a trailer", CHUNKED + b"2;x=y\r\nab\r\n0\r\nX: y\r\n\r\n", b"ab"),
    ("coding in capitals", CHUNKED.replace(b"chunked", b"CHUNKED") + b"0\r\n\r\n", b""),
    ("whole URL as the target", b"GET http://G/x HTTP/1.1\r\n" + H + b"\r\n", b""),
    ("IPv6 host", b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", b""),
    ("100 fields", b"GET / HTTP/1.1\r\n" + H + b"X: y\r\n" * 99 + b"\r\n", b""),
    ("empty value", b"GET / HTTP/1.1\r\n" + H + b"X:\r\n\r\n", b""),
    (
        "body of the limit",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000,
        b"x" * 1000,
    ),
]


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize(
    ("data", "body"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED]
)
def test_accepted_with_its_body_however_it_is_cut(data: bytes, body: bytes, size: int) -> None:
    (request,) = read(data, size)
    assert request.body() == body


def test_a_target_with_a_host_names_the_service_for_a_client_that_sends_no_field() -> None:
    (request,) = read(b"GET http://other:80?y HTTP/1.0\r\n\r\n")
    assert (request.head.host, request.head.target) == (b"other:80", b"/?y")


def test_an_empty_line_is_skipped_before_each_request_and_no_byte_of_it_is_taken_for_one() -> None:
    good = b"GET / HTTP/1.1\r\n" + H + b"\r\n"
    assert len(read((b"\r\n" + good) * 3)) == len(read((b"\r\n" + good) * 3, 1)) == 3
    reader = RequestReader(lambda: 1000)
    reader.feed(good)
    reader.feed(b"\r")
    with pytest.raises(Refusal):
        reader.feed(good)  # the head is known, and a CR stands alone before it


def test_what_the_worker_must_have_stays_although_connection_names_it() -> None:
    fields = b"Content-Type: a/b\r\nAuthorization: Bearer k\r\ntraceparent: 00-1-2-03\r\nX-Mine: 1\r\n"
    nominated = b"Connection: content-type, authorization, traceparent, x-mine, content-length\r\n"
    for order in (fields + nominated, nominated + fields):
        (request,) = read(b"POST / HTTP/1.1\r\n" + H + order + b"Content-Length: 1\r\n\r\na")
        kept = sorted(line.partition(b":")[0].lower() for line in request.head.fields.split(b"\r\n") if line)
        assert kept == [b"authorization", b"content-type", b"traceparent"]
        assert request.body() == b"a"


def test_a_chunk_over_the_limit_is_refused_when_its_size_is_read() -> None:
    with pytest.raises(Refusal) as caught:
        read(CHUNKED + b"186a1\r\n")
    assert caught.value.error.status == 413


def test_a_header_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    reader = RequestReader(lambda: 1000)
    reader.feed(b"GET / HTTP/1.1\r\nX: ")
    with pytest.raises(Refusal) as caught:
        feed_for_ever(reader, b"x" * 4096)
    assert caught.value.error.status == 431


def test_a_body_that_is_almost_all_chunk_framing_is_refused() -> None:
    reader = RequestReader(lambda: 10_000_000)
    reader.feed(CHUNKED)
    with pytest.raises(Refusal) as caught:
        feed_for_ever(reader, b"1;" + b"x" * 200 + b"\r\na\r\n")
    assert "framing" in caught.value.error.message


def test_requests_before_a_bad_one_stay_valid() -> None:
    reader = RequestReader(lambda: 1000)
    good = b"GET /%d HTTP/1.1\r\n" + H + b"\r\n"
    with pytest.raises(Refusal):
        reader.feed(good % 1 + good % 2 + b"GET / HTTP/1.1\nbad\n\n")
    assert [request.head.target for request in reader.requests] == [b"/1", b"/2"]


def test_bytes_after_the_last_request_of_a_connection_are_nobodys() -> None:
    reader = RequestReader(lambda: 1000)
    reader.feed(b"GET /1 HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\nGET /2 HTTP/1.1\r\n" + H + b"\r\n")
    reader.feed(b"anything")
    assert [request.head.target for request in reader.requests] == [b"/1"]
    assert reader.closed


def test_an_id_of_the_clients_is_kept_where_it_is_harmless() -> None:
    for sent, kept in ((b"abc-1.2:3", b"abc-1.2:3"), (b'a"b', b""), (b"x" * 129, b"")):
        (request,) = read(b"GET / HTTP/1.1\r\n" + H + b"X-Request-Id: " + sent + b"\r\n\r\n")
        assert request.head.request_id == kept


@pytest.mark.parametrize("size", [0, 1, 7])
def test_what_comes_behind_a_websockets_handshake_is_kept_and_is_no_request(size: int) -> None:
    handshake = b"GET /v1/realtime HTTP/1.1\r\n" + H + WEBSOCKET + b"\r\n"
    data = handshake + b"\x82\x00GET / HTTP/1.1\r\n\r\n"
    reader = RequestReader(lambda: 0)
    for start in range(0, len(data), size or len(data)):
        reader.feed(data[start : start + (size or len(data))])
    (request,) = reader.requests
    assert (request.head.websocket, request.complete, request.head.keep_alive) == (True, True, False)
    assert reader.after == b"\x82\x00GET / HTTP/1.1\r\n\r\n"
