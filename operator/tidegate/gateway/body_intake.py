"""A body that is still on its way when its request is first seen: admitted, counted, bounded as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_ticket import Stage, Ticket
from tidegate.gateway import response
from tidegate.gateway.connection import NEVER

if TYPE_CHECKING:
    from tidegate.gateway.exchange import Exchange


class BodyIntake:
    """Reads one body. Where Host or path tell the service, it admits the request before any more is read;
    where only the body's ``model`` can, the body counts against what the gateway holds for nobody yet."""

    __slots__ = ("_exchange", "_unrouted")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._unrouted = 0

    def begin(self) -> None:
        """The head is there: admits it, and lets a client that waits for that go on."""
        x = self._exchange
        x.reading = True
        error = self._ask() if x.service is not None else self._hold()
        if error is not None:
            x.refuse(error)
            return
        if x.ticket is None or x.ticket.stage is not Stage.ASKED:
            self.admitted()
        x.connection.deadline = self._deadline()

    def admitted(self) -> None:
        """The request has its place: a client that waits for that goes on."""
        x = self._exchange
        if x.request.head.expects_continue:
            x.connection.write(response.CONTINUE)

    def _ask(self) -> ApiError | None:
        x = self._exchange
        if x.service is None:
            return None
        x.ticket = Ticket(x, x.request.content_length or x.request.received, x.request.head.priority or 0)
        x.service.arrived(x.arrived)
        verdict = x.service.arbiter.ask(x.ticket, body_read=False)
        return verdict if isinstance(verdict, ApiError) else None

    def more(self) -> None:
        """Some of the body has come, or all of it."""
        x = self._exchange
        error = x.hold_body() or (self._hold() if x.ticket is None else self._grow(x.ticket))
        if error is not None:
            x.refuse(error)
        elif x.request.complete:
            self._complete()
        else:
            x.connection.deadline = self._deadline()

    def _deadline(self) -> float:
        """The end of the longest silence; or of the time that so many bytes may take, where that is sooner:
        a drop now and then would hold a place in the queue for ever."""
        x, settings = self._exchange, self._exchange.traffic.settings
        silence = x.traffic.time() + settings.body_timeout
        return min(silence, x.arrived + settings.body_timeout + x.request.received / settings.body_rate)

    def _complete(self) -> None:
        x = self._exchange
        x.reading = False
        x.connection.deadline = NEVER
        self.release()
        if x.ticket is None or x.service is None:
            x.admit()
        elif x.look_into_body():
            x.set_place(x.ticket, x.service)
            x.obey(x.service.arbiter.body_read(x.ticket))

    def _grow(self, ticket: Ticket) -> ApiError | None:
        """A body without a length counts as it comes."""
        x = self._exchange
        more = x.request.received - ticket.bytes
        return x.service.arbiter.grow(ticket, more) if more > 0 and x.service is not None else None

    def _hold(self) -> ApiError | None:
        x = self._exchange
        more = x.request.received - self._unrouted
        self._unrouted += more
        return None if x.traffic.hold_unrouted(more) else x.traffic.out_of_memory()

    def release(self) -> None:
        """The body is its service's, or gone."""
        self._exchange.traffic.hold_unrouted(-self._unrouted)
        self._unrouted = 0
