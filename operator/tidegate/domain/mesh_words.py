"""What gateways say to each other about one service. Each gateway has one connection to every other one, on
which it is the member and the other the arbiter; words on one connection keep their order.

::

    member ──▶ join(epoch), report…   reported   ask  grow  body_read  give_back  done  found   leave
    arbiter ──▶ joined(epoch) | unknown           go   admitted   end(error)

``joined`` is said at once, and again whenever that gateway becomes the arbiter; ``reported`` answers each.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Endpoint, EndpointKey, Ticket
from tidegate.domain.service import ServiceKey
from tidegate.domain.shared_flow import Held


class Finding(Enum):
    """What a gateway found out about an endpoint."""

    FAILED = 0
    DRAINS = 1  # by its own word
    ANSWERED = 2  # which was on trial, or is the first one of a service that was asleep


class ToArbiter(Protocol):
    """A connection to another gateway, as its member sees it. Nothing is answered here, and nothing fails: a
    connection that breaks is told once, later."""

    def join(self, key: ServiceKey, epoch: int, /) -> int:
        """From now on that gateway is asked; what it said before this epoch is void. The number of the
        service on this connection."""
        ...

    def endpoint(self, reference: int, /) -> EndpointKey:
        """The endpoint that the arbiter means by a number."""
        ...

    def report(self, service: int, number: int, held: Held, /) -> None:
        """A ticket that is held, after ``join``."""
        ...

    def reported(self, service: int, /) -> None:
        """The answer to each ``joined``: that was all, and this arbiter is asked."""
        ...

    def leave(self, service: int, /) -> None:
        """Another gateway is asked: everything that this one held is free."""
        ...

    def ask(self, service: int, ticket: Ticket, /) -> None:
        """A new ticket."""
        ...

    def grow(self, service: int, number: int, more: int, /) -> None:
        """Its body grows."""
        ...

    def body_read(self, service: int, ticket: Ticket, /) -> None:
        """Its body is there."""
        ...

    def give_back(self, service: int, number: int, /) -> None:
        """It waits again."""
        ...

    def done(self, service: int, number: int, /) -> None:
        """It has ended, at whatever stage."""
        ...

    def found(self, service: int, endpoint: EndpointKey, finding: Finding, age: float, /) -> None:
        """What a request met at an endpoint, ``age`` seconds after it was dispatched."""
        ...


class ToMember(Protocol):
    """The same connection, as its arbiter sees it."""

    @property
    def member(self) -> str:
        """The id of the gateway at its other end."""
        ...

    def joined(self, service: int, epoch: int, /) -> None:
        """What follows is of this epoch. Does the member ask here still?"""
        ...

    def unknown(self, service: int, /) -> None:
        """There is no such service here, or not any more: join again later."""
        ...

    def go(self, service: int, number: int, endpoint: Endpoint, depth: int, cold_wait: float, /) -> None:
        """It may run."""
        ...

    def admitted(self, service: int, number: int, depth: int, /) -> None:
        """It has its place in the queue."""
        ...

    def end(self, service: int, number: int, error: ApiError, /) -> None:
        """It is refused, or sent away."""
        ...
