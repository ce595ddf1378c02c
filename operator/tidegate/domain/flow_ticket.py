"""What moves through a service's queue: tickets (requests) and endpoints (worker processes)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from tidegate.domain.api_errors import ApiError


class Stage(Enum):
    """Where a ticket is."""

    NEW = "new"
    READING = "reading"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


class Wait(Enum):
    """The answer to a ticket that has to wait."""

    WAIT = "wait"


WAIT = Wait.WAIT


@dataclass(frozen=True, slots=True)
class EndpointKey:
    """One worker process: a restart behind the same address is another endpoint."""

    uid: str
    incarnation: int
    host: str
    port: int


class Endpoint:
    """An endpoint and how many requests run on it; ``takes_work`` False lets them end and adds none."""

    __slots__ = ("in_flight", "key", "takes_work")

    def __init__(self, key: EndpointKey) -> None:
        self.key = key
        self.in_flight = 0
        self.takes_work = True


class Waiter(Protocol):
    """The request behind a ticket: it hears what happens while it waits."""

    def granted(self, endpoint: Endpoint) -> None:
        """It may run now, on ``endpoint``."""
        ...

    def evicted(self, error: ApiError) -> None:
        """It will not run; its ticket has ended."""
        ...


class Ticket:
    """One request in the queue of its service."""

    stage = Stage.NEW
    endpoint: Endpoint | None = None
    sequence = 0
    warm = cold = 0.0  # the budget clocks at its arrival
    cold_wait = 0.0  # seconds of its wait in which no worker was ready, once it runs

    def __init__(self, waiter: Waiter, size: int = 0) -> None:
        self.waiter = waiter
        self.bytes = size


Verdict: TypeAlias = Endpoint | Wait | ApiError
