"""The seam between a client's connection and what answers its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tidegate.domain.api_errors import ApiError
from tidegate.gateway.request import Request
from tidegate.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from tidegate.gateway.connection import ClientConnection


class Answering(Protocol):
    """What answers one request. It ends by calling the connection's ``finished`` exactly once,
    or by hearing ``client_gone``."""

    request: Request
    reading: bool  # it waits for (more of) the request's body

    def start(self) -> None:
        """The request is at the head of the line; its body may still be on its way."""
        ...

    def body_arrived(self) -> None:
        """More of the body is there, or all of it."""
        ...

    def body_failed(self, error: ApiError) -> None:
        """The body cannot be read to its end, or what it says was too much for us."""
        ...

    def client_gone(self) -> None:
        """Nobody reads the answer any more."""
        ...

    def deadline_passed(self) -> None:
        """The connection's ``deadline`` is over."""
        ...

    def sweep(self, now: float) -> None:
        """A few times a second, while it answers and the ``deadline`` is not over."""
        ...

    def pause(self) -> None:
        """The client reads more slowly than the answer comes."""
        ...

    def resume(self) -> None:
        """It has caught up."""
        ...


class Host(Protocol):
    """What a connection needs of the server that it belongs to."""

    settings: GatewaySettings
    connections: set[ClientConnection]
    draining: bool

    def body_limit(self) -> int:
        """The largest body that any service takes, in bytes."""
        ...

    def answering(self, connection: ClientConnection, request: Request) -> Answering:
        """Who answers ``request``."""
        ...

    def refused(self, request: Request | None, error: ApiError) -> None:
        """``error`` was sent for bytes that never became a request of a service."""
        ...
