"""The priority that a client asks for, in the header or in the body."""

from __future__ import annotations

import pytest

from tidegate.gateway.peek import peek
from tidegate.gateway.priority import priority_in_queue
from tidegate.gateway.request import Head, Refusal


def head(*fields: bytes) -> Head:
    return Head(b"\r\n".join((b"POST / HTTP/1.1", b"host: g", *fields, b"", b"")))


@pytest.mark.parametrize(
    ("value", "priority"), [(b"0", 0), (b"-100", -100), (b"100", 100), (b"+7", 7), (b"05", 5), (b" 5\t", 5)]
)
def test_a_whole_number_from_minus_100_to_100_is_taken(value: bytes, priority: int) -> None:
    assert head(b"X-Tidegate-Priority: " + value).priority == priority


@pytest.mark.parametrize(
    "value",
    [b"", b"101", b"-101", b"1.0", b"high", b"1 2", b"1,2", b"0x1", b"--1", b"1_0", b"\xb2", b"9" * 99],
)
def test_anything_else_is_400_and_names_the_header_and_its_bounds(value: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        head(b"x-tidegate-priority: " + value)
    assert caught.value.error.status == 400
    for part in ("x-tidegate-priority", "-100", "100"):
        assert part in caught.value.error.message


def test_two_priorities_are_refused_also_where_they_are_equal() -> None:
    with pytest.raises(Refusal):
        head(b"x-tidegate-priority: 1", b"x-tidegate-priority: 1")


def test_fields_for_the_gateway_are_not_passed_on_and_their_neighbours_are() -> None:
    read = head(b"x-tidegate-priority: 1", b"x-tide: 2", b"X-Tidegate-Other: 3", b"x: x-tidegate-priority: 9")
    assert read.fields == b"x-tide: 2\r\nx: x-tidegate-priority: 9\r\n"
    assert read.priority == 1
    assert head().priority is None


@pytest.mark.parametrize(
    ("header", "body", "priority"),
    [
        (None, b'{"priority": 7}', 7),
        (None, b'{"priority": -1000}', -100),
        (None, b'{"priority": 99999999999999999999999}', 100),
        (None, b'{"priority": "7"}', 0),
        (None, b'{"priority": 7.5}', 0),
        (None, b'{"priority": true}', 0),
        (None, b'{"priority": null}', 0),
        (None, b"{}", 0),
        (0, b'{"priority": 7}', 0),
        (-3, b"{}", -3),
    ],
)
def test_the_header_goes_before_the_body_whose_number_is_brought_into_the_range(
    header: int | None, body: bytes, priority: int
) -> None:
    assert priority_in_queue(header, peek(body).priority) == priority
