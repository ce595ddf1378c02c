"""What the worker gets of a request's head: rewritten, dropped, and passed on as it came."""

from __future__ import annotations

from tests.component.gateway.corpus.case import PREFIX, Seen
from tests.component.gateway.harness import (
    HandSubstrate,
    config,
    connection,
    gateway,
    read_answer,
    ready,
    worker,
)
from tests.component.gateway.recording import recorder
from tidegate.domain.service import ServiceView


async def _sent(*fields: bytes, body: bytes = b"") -> tuple[Seen, str, bytes]:
    """What the worker saw, the id that the client read, and the worker's authority."""
    head = b"".join(line + b"\r\n" for line in (b"PUT " + PREFIX + b"/v1/x HTTP/1.1", b"Host: g", *fields))
    async with recorder() as backend:
        substrate = HandSubstrate(ServiceView(config(), (worker(backend.port, ready=True),)))
        async with gateway(substrate) as running, connection(running.port) as (reader, writer):
            await ready(running)
            writer.write(head + b"\r\n" + body)
            answer = await read_answer(reader)
            (seen,) = backend.taken()
            return seen, answer.fields["x-request-id"], b"127.0.0.1:%d" % backend.port


async def test_a_traces_fields_and_other_proxies_fields_are_passed_on_as_they_came_and_none_are_added() -> (
    None
):
    fields = (
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"tracestate: a=1, b=2",
        b"tracestate: c=3",
        b"X-Forwarded-For: 192.0.2.1",
        b"Via: 1.1 edge",
    )
    seen, _, authority = await _sent(*fields)
    names = [name for name, _ in seen.fields]
    assert names == [
        b"host",
        b"traceparent",
        b"tracestate",
        b"tracestate",
        b"x-forwarded-for",
        b"via",
        b"x-request-id",
    ]
    came = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in fields)]
    assert list(seen.fields[1:6]) == came
    assert seen.fields[0] == (b"host", authority)


async def test_without_any_fields_a_worker_gets_a_host_and_an_id_and_nothing_else() -> None:
    seen, given, authority = await _sent()
    assert seen.fields == ((b"host", authority), (b"x-request-id", given.encode()))


async def test_a_clients_id_is_the_workers_and_one_that_could_break_a_log_line_is_replaced_for_both() -> None:
    for sent, kept in ((b"mine-1", True), (b'a" b', False), (b"x" * 200, False)):
        seen, given, _ = await _sent(b"X-Request-Id: " + sent)
        assert [value for name, value in seen.fields if name == b"x-request-id"] == [given.encode()]
        assert (given.encode() == sent) is kept


async def test_a_chunked_body_reaches_the_worker_with_a_length_and_without_its_trailers() -> None:
    body = b"1\r\na\r\n1\r\nb\r\n0\r\nX-Late: 1\r\nAuthorization: Bearer late\r\n\r\n"
    seen, _, _ = await _sent(b"Transfer-Encoding: chunked", b"Trailer: X-Late", body=body)
    assert seen.body == b"ab"
    assert [name for name, _ in seen.fields] == [b"host", b"x-request-id", b"content-length"]


async def test_connection_takes_away_what_it_names_but_not_what_the_worker_must_have() -> None:
    seen, _, _ = await _sent(
        b"Authorization: Bearer k",
        b"X-Mine: 1",
        b"Connection: x-mine, authorization, host, content-length, x-request-id",
        b"Content-Length: 1",
        body=b"a",
    )
    names = [name for name, _ in seen.fields]
    assert names == [b"host", b"authorization", b"x-request-id", b"content-length"]
    assert seen.body == b"a"
