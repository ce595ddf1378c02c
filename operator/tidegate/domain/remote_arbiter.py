"""The arbiter of a service where it is another gateway: the member's half of a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_clock import BudgetClock
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.mesh_words import Finding, ToArbiter
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceConfig, ServiceKey
from tidegate.domain.shared_flow import Held

_NUMBERS = 0xFFFFFFFF
_NOBODY = "no gateway is the arbiter of the service"
BACKSTOP_SECONDS = 10.0  # how much longer than its budgets a request waits here for its arbiter's word


Run = tuple[int, float, bool]  # depth, seconds that it waited without a worker, its endpoint is on trial


class RemoteArbiter:
    """Holds the tickets of this gateway's own requests, and passes on what is said.

    Between two arbiters, and while the connection is down, ``link`` is None: what is asked is kept, and
    reported to the next one.
    """

    def __init__(
        self,
        config: ServiceConfig,
        clock: BudgetClock,
        time: Callable[[], float],
        on_trial: Callable[[EndpointKey], None],
    ) -> None:
        self.config = config
        self.key: ServiceKey = config.key
        self.link: ToArbiter | None = None
        self.confirmed = False  # the arbiter has begun with this epoch
        self.tickets: dict[int, Ticket] = {}
        self._clock = clock
        self._time = time
        self._on_trial = on_trial  # told where the arbiter waits for the answer of an endpoint
        self._epoch = self._number = 0
        self._service = 0  # its number on the connection
        self._closed: ApiError | None = None  # what everybody hears who would wait, once the service is gone
        self._endpoints: dict[EndpointKey, Endpoint] = {}
        self._references: dict[int, Endpoint] = {}  # the same by the connection's numbers

    # -- Arbiter, for this gateway's requests

    def ask(self, ticket: Ticket, *, body_read: bool) -> Verdict:
        """See Arbiter: the answer comes later."""
        if self._closed is not None:
            return self._closed
        ticket.stage, ticket.whole = Stage.ASKED, body_read
        ticket.warm, ticket.cold = self._clock.both(self._time())
        self._enter(ticket)
        if self.link is not None:
            self.link.ask(self._service, ticket)
        return WAIT

    def _enter(self, ticket: Ticket) -> None:
        number = self._number % _NUMBERS + 1
        while number in self.tickets:  # one has lived through four milliards of others
            number = number % _NUMBERS + 1
        self._number = ticket.number = number
        self.tickets[number] = ticket

    def grow(self, ticket: Ticket, more: int) -> ApiError | None:
        """See Arbiter; that the queue holds too many bytes is heard later."""
        limit = self.config.max_bytes
        if ticket.bytes + more > limit:
            return errors.too_large(ticket.bytes + more, limit, Outcome.EVICTED_BODY)
        ticket.bytes += more
        if self.link is not None:
            self.link.grow(self._service, ticket.number, more)
        return None

    def body_read(self, ticket: Ticket) -> Verdict:
        """See Arbiter."""
        ticket.whole = True
        if ticket.stage is Stage.READING:
            ticket.stage = Stage.WAITING
        if self.link is not None:
            self.link.body_read(self._service, ticket)
        return WAIT

    def give_back(self, ticket: Ticket) -> None:
        """See Arbiter."""
        ticket.stage, ticket.endpoint = Stage.WAITING, None
        if self._closed is not None:
            self._evict(ticket, self._closed)
        elif self.link is not None:
            self.link.give_back(self._service, ticket.number)

    def done(self, ticket: Ticket) -> None:
        """See Arbiter."""
        if self.tickets.get(ticket.number) is not ticket:
            return
        del self.tickets[ticket.number]
        ticket.stage, ticket.endpoint = Stage.ENDED, None
        if self.link is not None:
            self.link.done(self._service, ticket.number)

    def found(self, endpoint: EndpointKey, finding: Finding, age: float) -> None:
        """What a request met at an endpoint."""
        if self.link is not None:
            self.link.found(self._service, endpoint, finding, age)

    # -- the epochs

    def take(self, ticket: Ticket, held: Held) -> None:
        """A ticket of this gateway's own queue is another arbiter's from now on."""
        warm, cold = self._clock.both(self._time())
        ticket.stage, ticket.whole = held.stage, held.whole
        ticket.warm, ticket.cold = warm - held.warm, cold - held.cold
        ticket.endpoint = None if held.endpoint is None else self._endpoint(held.endpoint)
        self._enter(ticket)

    def held(self, ticket: Ticket) -> Held:
        """What an arbiter must know of a ticket."""
        warm, cold = self._clock.both(self._time())
        used = warm - ticket.warm, cold - ticket.cold
        key = None if ticket.endpoint is None else ticket.endpoint.key
        return Held(
            ticket.stage, ticket.whole, ticket.bytes, *used, ticket.priority, ticket.prefix, key, ticket.wakes
        )

    def join(self, link: ToArbiter) -> None:
        """From now on this one is asked; it hears of everything that is held."""
        self._epoch += 1
        self.link, self.confirmed = link, False
        self._service = link.join(self.key, self._epoch)
        self._references = {}
        for number, ticket in self.tickets.items():
            link.report(self._service, number, self.held(ticket))

    def leave(self) -> None:
        """It is not asked any more."""
        link, self.link = self.link, None
        if link is not None:
            link.leave(self._service)

    def lost(self) -> None:
        """Its connection is gone, or it does not know the service: another word comes from nobody."""
        self.link = None

    def forget_endpoints(self) -> None:
        """The workers changed: what the edge kept with them is of the time before."""
        self._endpoints, self._references = {}, {}

    def _endpoint(self, key: EndpointKey) -> Endpoint:
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = Endpoint(key)
        return found

    # -- what the arbiter says

    def joined(self, link: ToArbiter, epoch: int) -> None:
        """Everything that it says from now on is of this epoch; each time it hears that it is asked still."""
        if link is self.link and epoch == self._epoch:
            self.confirmed = True
            link.reported(self._service)

    def _ticket(self, link: ToArbiter, number: int) -> Ticket | None:
        """None: of an earlier epoch, or its end crossed the word."""
        return self.tickets.get(number) if link is self.link and self.confirmed else None

    def go(self, link: ToArbiter, number: int, reference: int, run: Run) -> None:
        """A ticket runs. ValueError where it cannot: it would be sent twice, or without its end."""
        ticket = self._ticket(link, number)
        if ticket is not None:
            if ticket.stage is Stage.RUNNING or not ticket.whole:
                raise ValueError(f"ticket {number} cannot run: it does already, or its body is awaited")
            endpoint = self._references.get(reference)
            if endpoint is None:
                endpoint = self._references[reference] = self._endpoint(link.endpoint(reference))
            ticket.stage = Stage.RUNNING
            ticket.depth, ticket.cold_wait, trial = run
            if trial:
                self._on_trial(endpoint.key)
            ticket.endpoint = endpoint
            ticket.waiter.granted(endpoint)

    def admitted(self, link: ToArbiter, number: int, depth: int) -> None:
        """A ticket has its place in the queue."""
        ticket = self._ticket(link, number)
        if ticket is not None and ticket.stage is Stage.ASKED:
            ticket.stage, ticket.depth = Stage.WAITING if ticket.whole else Stage.READING, depth
            ticket.waiter.admitted()

    def end(self, link: ToArbiter, number: int, error: ApiError) -> None:
        """A ticket is refused, or sent away."""
        ticket = self._ticket(link, number)
        if ticket is not None:
            self._evict(ticket, error)

    def _evict(self, ticket: Ticket, error: ApiError) -> None:
        del self.tickets[ticket.number]
        ticket.stage, ticket.endpoint = Stage.ENDED, None
        ticket.waiter.evicted(error)

    # -- ends that need no arbiter

    def close(self, error: ApiError) -> None:
        """The service is gone: what does not run is refused, now and later."""
        self._closed = error
        for ticket in [t for t in self.tickets.values() if t.stage is not Stage.RUNNING]:
            if self.link is not None:
                self.link.done(self._service, ticket.number)
            if self.tickets.get(ticket.number) is ticket:
                self._evict(ticket, error)

    def expire(self) -> None:
        """Where no arbiter answers in all the time that a request may wait, this gateway answers it: at once
        where there is none, a little later where one may have answered just now."""
        now, spare = self._time(), 0.0 if self.link is None else BACKSTOP_SECONDS
        for ticket in [t for t in self.tickets.values() if t.stage in (Stage.ASKED, Stage.WAITING)]:
            # A body that is awaited has a limit of its own.
            if ticket.whole and self._waited(ticket, now) > self._budget() + spare:
                if self.link is not None:
                    self.link.done(self._service, ticket.number)
                self._evict(ticket, self._late())

    def _waited(self, ticket: Ticket, now: float) -> float:
        clock = self._clock
        return clock.warm(now) - ticket.warm if clock.ready else clock.cold(now) - ticket.cold

    def _budget(self) -> float:
        config = self.config
        return config.wait_timeout_seconds if self._clock.ready else config.cold_start_timeout_seconds

    def _late(self) -> ApiError:
        if self._clock.ready:
            return replace(errors.queue_timeout(self.key, self._budget(), 1), reason=_NOBODY)
        return errors.cold_start_timeout(self.key, self._budget(), 1, _NOBODY)
