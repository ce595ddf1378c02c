"""This gateway's own queue of a service, where several gateways share it: see domain/seat.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import WAIT, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.mesh_words import Finding
from tidegate.domain.service import ServiceConfig
from tidegate.domain.shared_flow import Held, SharedFlow
from tidegate.gateway.local_arbiter import LocalArbiter

_SOON = 0.1  # seconds until it is looked which of the tickets that move in ends first
Found = Callable[[EndpointKey, Finding, float], None]


class SharedArbiter(LocalArbiter):
    """The Home of a seat. ``found`` hears what other gateways meet at endpoints."""

    def __init__(
        self,
        config: ServiceConfig,
        time: Callable[[], float],
        waiting: Callable[[], None],
        found: Found,
    ) -> None:
        self.shared = SharedFlow(config, time())
        super().__init__(config, time, waiting, self.shared)
        self._found = found

    @property
    def busy(self) -> bool:
        """See Home."""
        return self.shared.busy

    def held(self, ticket: Ticket) -> Held:
        """See Home."""
        return self.shared.held(ticket, self._time())

    def adopt(self, ticket: Ticket, held: Held) -> None:
        """See Home."""
        self.shared.adopt(ticket, held, self._time())
        if self._timer is None:  # whether this gateway will ever act or not
            self._timer = self._loop.call_later(_SOON, self._expire)

    def release(self, tickets: Iterable[Ticket]) -> None:
        """See Home."""
        self._grant(self.shared.release(tickets, self._time()))

    def freeze(self) -> None:
        """See Home."""
        self.shared.freeze()

    def thaw(self) -> None:
        """See Home."""
        granted, answers = self.shared.thaw(self._time())
        self._grant(granted)
        for ticket, verdict in answers:
            self._answer(ticket, verdict)
        self._set_timer()
        if self.flow.waiting:
            self._waiting()

    def _answer(self, ticket: Ticket, verdict: Verdict) -> None:
        if isinstance(verdict, ApiError):
            ticket.waiter.evicted(verdict)
        elif verdict is WAIT:
            if ticket.stage in (Stage.READING, Stage.WAITING):
                ticket.waiter.admitted()
        elif ticket.endpoint is not None:
            ticket.waiter.granted(ticket.endpoint)

    def found(self, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        """See Home."""
        self._found(endpoint, finding, age)
