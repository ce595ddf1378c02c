"""A gateway's place in the arbitration of one service: who is asked, and when this gateway may act.

Each gateway asks exactly one arbiter, the one that its own view names, and leaves it before it joins another.
An arbiter acts (admits, lets run) only while every gateway of its view has joined it and has reported what it
holds, and has said since this gateway took the seat that it asks here: one that joined before may have left,
and act itself, while its word of it is on its way. So of two gateways that see each other one at most acts:
the one that took its seat later knows that the other asked it after that, and thus had left its own.
A gateway that is not in the view is not waited for: the limit is exact within one view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from tidegate.domain.arbiter import Arbiter
from tidegate.domain.flow_ticket import Ticket
from tidegate.domain.membership import Home, Membership
from tidegate.domain.mesh_words import ToArbiter, ToMember
from tidegate.domain.peers import View
from tidegate.domain.remote_arbiter import RemoteArbiter
from tidegate.domain.service import ServiceKey

# How long an arbiter waits for a gateway that is there and does not join it, and for one that it has never
# reached itself and that asks no more.
PATIENCE_SECONDS = 5.0


class Surroundings(Protocol):
    """What a seat needs of its gateway."""

    view: View

    def link_to(self, gateway: str) -> ToArbiter | None:
        """The connection to another gateway; None while there is none."""
        ...

    def own_tickets(self, key: ServiceKey, /) -> Iterable[Ticket]:
        """Those of the requests that this gateway holds itself and that its own queue has."""
        ...

    def moved(self, key: ServiceKey, arbiter: Arbiter, /) -> None:
        """From now on this one is asked for the service."""
        ...


class Seat:
    """See above. ``turn`` is called whenever the view or a connection changed, and now and then."""

    def __init__(
        self, home: Home, remote: RemoteArbiter, around: Surroundings, time: Callable[[], float]
    ) -> None:
        self.key = remote.key
        self.arbiter = around.view.own.id  # whom this gateway asks
        self.acts = False
        self.members: dict[str, Membership] = {}
        self.home = home
        self.remote = remote
        self._around = around
        self._time = time
        self._excused: set[str] = set()  # were waited for in vain
        self._since: float | None = None  # when it began to wait for the others
        self._lost: dict[str, float] = {}  # may be there, and the view does not know them; waited for until

    @property
    def here(self) -> bool:
        """Whether this gateway takes itself for the arbiter."""
        return self.arbiter == self._around.view.own.id

    def turn(self) -> bool:
        """Does what view and connections ask for; False where it waits for something."""
        wanted = self._around.view.arbiter(str(self.key))
        if wanted != self.arbiter:
            self._move(wanted)
        self._look()
        if not self.here:
            return self._joined()
        self._settle()
        return self.acts

    def _look(self) -> None:
        """Whom the view knows is waited for by the view, and nobody longer than his time."""
        awaited, now = self._around.view.awaited, self._time()
        for member, membership in self.members.items():
            membership.seen = membership.seen or member in awaited
        self._lost = {g: until for g, until in self._lost.items() if until > now and g not in awaited}

    @property
    def lost(self) -> set[str]:
        """The gateways that asked here and do not any more, that this one has never reached, and that may
        hold what they were given."""
        now = self._time()
        return {gateway for gateway, until in self._lost.items() if until > now}

    def _move(self, wanted: str) -> None:
        if self.here:
            self._stop()
            self._move_out()
        else:
            self.remote.leave()
        self.arbiter = wanted
        if self.here:
            self._move_in()
        self._around.moved(self.key, self.home if self.here else self.remote)

    def _stop(self) -> None:
        self.acts, self._since = False, None
        self._excused.clear()
        self.home.freeze()

    def _move_out(self) -> None:
        if not self.home.busy:
            return
        tickets = [(ticket, self.home.held(ticket)) for ticket in self._around.own_tickets(self.key)]
        self.home.release([ticket for ticket, _ in tickets])
        for ticket, held in tickets:
            self.remote.take(ticket, held)

    def _move_in(self) -> None:
        tickets, self.remote.tickets = self.remote.tickets, {}
        for ticket in tickets.values():
            self.home.adopt(ticket, self.remote.held(ticket))
        for membership in self.members.values():
            membership.call()

    def _joined(self) -> bool:
        """Joins the arbiter over the connection that there is now."""
        link = self._around.link_to(self.arbiter)
        if self.remote.link is not link:
            self.remote.lost()
        if self.remote.link is None and link is not None:
            self.remote.join(link)
        return self.remote.link is not None

    def _settle(self) -> None:
        """Acts if everybody has reported, or has been waited for long enough; stops otherwise."""
        view, now = self._around.view, self._time()
        awaited = view.awaited
        self._excused &= awaited - self.members.keys()
        missing = awaited - self.members.keys() - self._excused
        complete = all(membership.complete for membership in self.members.values())
        if self._since is not None and missing and now - self._since >= PATIENCE_SECONDS:
            self._excused |= missing
            missing = set()
        if view.settled and complete and not missing and not self.lost:
            if not self.acts:
                self.acts, self._since = True, None
                self.home.thaw()
        else:
            if self._since is None:
                self._since = now
            if self.acts:
                self.acts = False
                self.home.freeze()

    # -- what members say

    def join(self, link: ToMember, service: int, epoch: int) -> Membership:
        """A gateway asks here from now on; what it held here before is void."""
        self._lost.pop(link.member, None)
        former = self.members.get(link.member)
        membership = self.members[link.member] = Membership(service, link, self.home, epoch)
        self.acts = False
        self.home.freeze()
        if former is not None:
            former.end()
        membership.call()
        return membership

    def reported(self, membership: Membership) -> bool:
        """It has told everything, and asks here; see ``turn``. ValueError where nobody wanted to know."""
        membership.reported()
        return self.turn()

    def left(self, membership: Membership) -> bool:
        """It asks another gateway now, or its connection has ended; see ``turn``."""
        self._look()
        member = membership.link.member
        if self.members.get(member) is membership:
            del self.members[member]
            if membership.holds and not membership.seen:
                self._lost[member] = self._time() + PATIENCE_SECONDS
        if self.here:
            self._settle()  # before its slots are free: it may still hold them
        membership.end()
        return self.turn()

    def close(self) -> None:
        """The service is gone."""
        for membership in self.members.values():
            membership.link.unknown(membership.service)
        self.members.clear()
        self.remote.leave()
