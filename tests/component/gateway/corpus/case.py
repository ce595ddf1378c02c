"""One request of the corpus, and the small words that it is written with.

The path names the service, so that a case can send any Host or none. PUT stands where a body is
sent: the gateway looks into a POST's body and would refuse one that is no JSON, for another reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = b"/team-a/qwen"  # what the gateway takes off a target
X = PREFIX + b"/v1/x"
SMUGGLED = b"GET " + PREFIX + b"/v1/smuggled HTTP/1.1\r\nHost: g\r\n\r\n"
# Follows each case on its connection: it arrives as itself only where both ends agree where the case ended.
LAST = b"GET " + PREFIX + b"/v1/last HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Seen:
    """A request as a worker sees it."""

    method: bytes
    target: bytes
    body: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = field(default=(), compare=False)  # names in lower case


@dataclass(frozen=True)
class Case:
    """``data`` is read as the requests ``reached``; what follows is refused with ``status``, 0: accepted."""

    name: str
    why: str
    data: bytes
    reached: tuple[Seen, ...]
    status: int
    ends: bool = False  # the last of ``reached`` is the last of its connection


def refused(name: str, why: str, data: bytes, status: int = 400, after: tuple[Seen, ...] = ()) -> Case:
    """A case that is refused, after the requests ``after``."""
    return Case(name, why, data, after, status)


def accepted(name: str, why: str, data: bytes, *reached: Seen, ends: bool = False) -> Case:
    """A case that is accepted; as ``GET /v1/x`` where nothing else is said."""
    return Case(name, why, data, reached or (GET_X,), 0, ends)


def put_x(body: bytes = b"") -> Seen:
    """``PUT /v1/x`` as a worker sees it."""
    return Seen(b"PUT", b"/v1/x", body)


GET_X = Seen(b"GET", b"/v1/x")


def lines(first: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A request of these lines, as they stand."""
    return b"\r\n".join((first, *fields)) + b"\r\n\r\n" + body


def get(*fields: bytes, target: bytes = X, version: bytes = b"HTTP/1.1") -> bytes:
    """A GET with a Host and further lines."""
    return lines(b"GET " + target + b" " + version, b"Host: g", *fields)


def put(*fields: bytes, body: bytes = b"") -> bytes:
    """A PUT with a Host and further lines; its framing is among them."""
    return lines(b"PUT " + X + b" HTTP/1.1", b"Host: g", *fields, body=body)


def hosts(*fields: bytes, target: bytes = X, version: bytes = b"HTTP/1.1") -> bytes:
    """A GET whose Host, if any, is among ``fields``."""
    return lines(b"GET " + target + b" " + version, *fields)


def chunked(body: bytes, *fields: bytes) -> bytes:
    """A PUT with a chunked body, as it stands."""
    return put(b"Transfer-Encoding: chunked", *fields, body=body)


def named(cases: Iterable[Case]) -> dict[str, Case]:
    """The cases by name; ValueError where two share one."""
    by_name: dict[str, Case] = {}
    for case in cases:
        if by_name.setdefault(case.name, case) is not case:
            raise ValueError(f"two cases are named {case.name}")
    return by_name
