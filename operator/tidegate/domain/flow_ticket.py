"""What moves through a service's queue: tickets (requests) and endpoints (worker processes)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias

from tidegate.domain.api_errors import ApiError


class Stage(Enum):
    """Where a ticket is."""

    NEW = "new"
    ASKED = "asked"  # its arbiter has not answered yet: another gateway, or one that takes over just now
    READING = "reading"
    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"


_NEW: Final = Stage.NEW
FIRST_PRIORITY, LAST_PRIORITY = -100, 100  # what a client may ask for; smaller runs first


class Wait(Enum):
    """The answer to a ticket that has to wait."""

    WAIT = "wait"


WAIT: Final = Wait.WAIT


@dataclass(frozen=True, slots=True)
class EndpointKey:
    """One worker process: a restart behind the same address is another endpoint."""

    uid: str
    incarnation: int
    host: str
    port: int


class Endpoint:
    """An endpoint and how many requests run on it."""

    __slots__ = ("handle", "in_flight", "key", "limit", "salt", "trial")

    def __init__(self, key: EndpointKey) -> None:
        self.key = key
        self.in_flight = 0
        self.limit = 0  # requests that may run on it at once; 0: it takes no more work
        self.salt = 0  # 64 bits that stand for it where a prompt's prefix decides
        self.trial = False  # it failed before, and takes one request at a time until one is answered
        self.handle: object = None  # what the edge keeps with it: its connections


class Waiter(Protocol):
    """The request behind a ticket: it hears what happens while it waits."""

    def granted(self, endpoint: Endpoint) -> None:
        """It may run now, on ``endpoint``."""
        ...

    def evicted(self, error: ApiError) -> None:
        """It will not run; its ticket has ended."""
        ...

    def admitted(self) -> None:
        """An ASKED ticket has its place in the queue now. Never called where ``ask`` itself said so."""
        ...


class Ticket:
    """One request in the queue of its service. ``priority`` (smaller runs first) and ``prefix`` (64 bits of a
    hash of the prompt's beginning, 0: none) may be set until its body is read."""

    __slots__ = (
        "arrived",
        "bytes",
        "cold",
        "cold_wait",
        "depth",
        "endpoint",
        "number",
        "prefix",
        "priority",
        "sequence",
        "stage",
        "started",
        "waiter",
        "wakes",
        "warm",
        "whole",
    )

    def __init__(self, waiter: Waiter, size: int = 0, priority: int = 0) -> None:
        self.waiter = waiter
        self.bytes = size
        self.priority = priority
        self.prefix = 0
        self.stage = _NEW
        self.endpoint: Endpoint | None = None
        self.sequence = self.depth = 0  # its number, and the queue's depth with it, once it is admitted
        self.arrived = 0.0  # when it was admitted
        self.started = 0.0  # when it was given its endpoint
        self.warm = self.cold = 0.0  # the budget clocks at its arrival
        self.cold_wait = 0.0  # seconds of its wait in which no worker was ready, once it runs
        self.number = 0  # what a remote arbiter knows it by
        self.wakes = True  # False: no worker is started for its sake, it takes one that is there or comes
        self.whole = False  # ASKED or told to a remote arbiter: its body has been read


Verdict: TypeAlias = Endpoint | Wait | ApiError
