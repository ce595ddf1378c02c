"""The arbiter's half of a connection: what one other gateway holds of one service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tidegate.domain.api_errors import ApiError
from tidegate.domain.arbiter import Arbiter
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket
from tidegate.domain.mesh_words import Finding, ToMember
from tidegate.domain.shared_flow import Held


class Home(Arbiter, Protocol):
    """This gateway's own queue of the service."""

    @property
    def busy(self) -> bool:
        """Whether it has any ticket."""
        ...

    def held(self, ticket: Ticket) -> Held:
        """What another arbiter must know of a ticket that is here."""
        ...

    def adopt(self, ticket: Ticket, held: Held) -> None:
        """A ticket moves in, while the queue is frozen."""
        ...

    def release(self, tickets: Iterable[Ticket]) -> None:
        """Tickets move out, or their gateway is gone."""
        ...

    def freeze(self) -> None:
        """From now on nothing is admitted and nothing runs."""
        ...

    def thaw(self) -> None:
        """Goes on."""
        ...

    def found(self, endpoint: EndpointKey, finding: Finding, age: float, /) -> None:
        """What another gateway's request met at an endpoint."""
        ...


class Membership:
    """From a member's ``join`` to its ``leave``, its next ``join``, or the end of its connection.

    Tickets that it does not know have ended here, and the word crossed the one that said so.
    """

    def __init__(self, service: int, link: ToMember, home: Home, epoch: int) -> None:
        self.service = service  # its number on this connection
        self.link = link
        self.complete = False  # everything is reported, and the latest call is answered
        self._home = home
        self._epoch = epoch
        self._unanswered = 0  # calls
        self._all_reported = False
        self.seen = False  # this gateway has reached the member too: its view knows whether it is there
        self.tickets: dict[int, Ticket] = {}

    @property
    def holds(self) -> bool:
        """Whether the member may hold what it was given."""
        return bool(self.tickets) or not self._all_reported

    def call(self) -> None:
        """The member is to say that it asks here still: whoever has left says nothing, and its word that it
        left is on its way."""
        self._unanswered += 1
        self.complete = False
        self.link.joined(self.service, self._epoch)

    def reported(self) -> None:
        """A call is answered; ValueError where none was made."""
        if not self._unanswered:
            raise ValueError("a call is answered that was not made")
        self._unanswered -= 1
        self._all_reported = True
        self.complete = not self._unanswered

    def report(self, number: int, held: Held) -> None:
        """A ticket that the member held when it joined; ValueError where it cannot be that."""
        if self._all_reported:
            raise ValueError(f"ticket {number} is reported after all were")
        ticket = Ticket(MembersWaiter(self, number))
        self._enter(number, ticket)
        self._home.adopt(ticket, held)

    def _enter(self, number: int, ticket: Ticket) -> None:
        if number in self.tickets:  # the one before would keep its place for ever
            raise ValueError(f"ticket {number} is there already")
        self.tickets[number] = ticket

    def ask(self, number: int, ticket: Ticket, *, body_read: bool) -> None:
        """A request came to the member; the ticket's waiter is this membership's. ValueError where the
        number is another one's."""
        self._enter(number, ticket)
        verdict = self._home.ask(ticket, body_read=body_read)
        if isinstance(verdict, Endpoint):
            self.link.go(self.service, number, verdict, ticket.depth, ticket.cold_wait)
        elif verdict is not WAIT:
            del self.tickets[number]
            self.link.end(self.service, number, verdict)
        elif ticket.stage is not Stage.ASKED:
            self.link.admitted(self.service, number, ticket.depth)

    def grow(self, number: int, more: int) -> None:
        """Its body grows; where it grows too much it ends here."""
        ticket = self.tickets.get(number)
        error = None if ticket is None else self._home.grow(ticket, more)
        if ticket is not None and error is not None:
            del self.tickets[number]
            self.link.end(self.service, number, error)
            self._home.done(ticket)

    def body_read(self, number: int, priority: int, prefix: int) -> None:
        """Its body is there."""
        ticket = self.tickets.get(number)
        if ticket is not None:
            ticket.priority, ticket.prefix = priority, prefix
            verdict = self._home.body_read(ticket)
            if isinstance(verdict, Endpoint):
                self.link.go(self.service, number, verdict, ticket.depth, ticket.cold_wait)
            elif verdict is not WAIT:
                self.tickets.pop(number, None)
                self.link.end(self.service, number, verdict)

    def give_back(self, number: int) -> None:
        """Its worker failed it; where it does not run here the word crossed another one."""
        ticket = self.tickets.get(number)
        if ticket is not None and ticket.stage is Stage.RUNNING:
            self._home.give_back(ticket)

    def done(self, number: int) -> None:
        """It has ended."""
        ticket = self.tickets.pop(number, None)
        if ticket is not None:
            self._home.done(ticket)

    def found(self, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        """What a request of the member met at an endpoint."""
        self._home.found(endpoint, finding, age)

    def end(self) -> None:
        """The member holds nothing here any more."""
        tickets, self.tickets = self.tickets, {}
        if tickets:
            self._home.release(tickets.values())


class MembersWaiter:
    """The Waiter of a request that another gateway holds."""

    __slots__ = ("_membership", "_number")

    def __init__(self, membership: Membership, number: int) -> None:
        self._membership = membership
        self._number = number

    def granted(self, endpoint: Endpoint) -> None:
        """See Waiter."""
        m = self._membership
        ticket = m.tickets.get(self._number)
        if ticket is not None:
            m.link.go(m.service, self._number, endpoint, ticket.depth, ticket.cold_wait)

    def evicted(self, error: ApiError) -> None:
        """See Waiter."""
        m = self._membership
        if m.tickets.pop(self._number, None) is not None:
            m.link.end(m.service, self._number, error)

    def admitted(self) -> None:
        """See Waiter."""
        m = self._membership
        ticket = m.tickets.get(self._number)
        if ticket is not None:
            m.link.admitted(m.service, self._number, ticket.depth)
