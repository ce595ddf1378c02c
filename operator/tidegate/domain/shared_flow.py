"""The queue of a service where several gateways share it: it can stand still, and tickets move in and out.

While ``frozen`` nothing is admitted and nothing runs: what is asked is parked until this gateway is the
arbiter and has heard from everybody what they hold. Ends and bodies are counted all the time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow import Flow
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceConfig


@dataclass(frozen=True, slots=True)
class Held:
    """A ticket as the gateway of its request reports it; ``warm`` and ``cold``: seconds that it has waited
    with and without a worker ready."""

    stage: Stage
    whole: bool
    size: int
    warm: float
    cold: float
    priority: int
    prefix: int
    endpoint: EndpointKey | None
    wakes: bool = True


class SharedFlow(Flow):
    """A Flow that is frozen at first."""

    def __init__(self, config: ServiceConfig, now: float) -> None:
        super().__init__(config, now)
        self.frozen = True
        self._parked: dict[Ticket, None] = {}

    def ask(self, ticket: Ticket, now: float, *, body_read: bool) -> Verdict:
        """See Flow; parked while frozen."""
        if not self.frozen:  # without super(), which takes as long as all the rest of this
            return Flow.ask(self, ticket, now, body_read=body_read)
        ticket.warm, ticket.cold = self.clock.both(now)
        self._park(ticket, whole=body_read)
        return WAIT

    def _park(self, ticket: Ticket, *, whole: bool) -> None:
        ticket.stage, ticket.whole = Stage.ASKED, whole
        self._parked[ticket] = None

    def grow(self, ticket: Ticket, more: int, now: float) -> ApiError | None:
        """See Flow; a parked ticket counts against nothing but the limit of one body."""
        if ticket.stage is not Stage.ASKED:
            return super().grow(ticket, more, now)
        if ticket.bytes + more > self.config.max_bytes:
            return errors.too_large(ticket.bytes + more, self.config.max_bytes, Outcome.EVICTED_BODY)
        ticket.bytes += more
        return None

    def body_read(self, ticket: Ticket, now: float) -> Verdict:
        """See Flow."""
        if ticket.stage is not Stage.ASKED:
            return super().body_read(ticket, now)
        ticket.whole = True
        return WAIT

    def _drop(self, ticket: Ticket) -> None:
        self._parked.pop(ticket, None)

    def _dispatch(self, now: float) -> list[Ticket]:
        return [] if self.frozen else Flow._dispatch(self, now)

    def _hand_on(self, endpoint: Endpoint | None, now: float) -> list[Ticket]:
        return [] if self.frozen else Flow._hand_on(self, endpoint, now)

    # -- ends that need no arbiter

    def expired(self, now: float) -> list[tuple[Ticket, ApiError]]:
        """See Flow; those that are parked have the same budgets."""
        late = [ticket for ticket in self._whole() if self._rest(ticket, now) <= 0.0]
        error = self._queue_timeout(now) if self.clock.ready else self._cold_start_timeout(now)
        for ticket in late:
            self.done(ticket, now)
        return [*super().expired(now), *((ticket, error) for ticket in late)]

    def next_expiry(self, now: float) -> float | None:
        """See Flow."""
        first = min((self._rest(ticket, now) for ticket in self._whole()), default=None)
        rest = super().next_expiry(now)
        return first if rest is None else rest if first is None else min(first, rest)

    def _whole(self) -> list[Ticket]:
        """Those that are parked and whose body is there: a body that is awaited has a limit of its own."""
        return [ticket for ticket in self._parked if ticket.whole]

    def evict_all(self, now: float) -> list[Ticket]:
        """See Flow; what is parked too."""
        parked = list(self._parked)
        for ticket in parked:
            self.done(ticket, now)
        return [*super().evict_all(now), *parked]

    # -- tickets that move

    @property
    def busy(self) -> bool:
        """Whether it has any ticket."""
        return self.depth > 0 or bool(self._parked)

    def held(self, ticket: Ticket, now: float) -> Held:
        """What another arbiter must know of a ticket that is here."""
        key = None if ticket.endpoint is None else ticket.endpoint.key
        warm, cold = self.clock.both(now)
        used = warm - ticket.warm, cold - ticket.cold
        whole = ticket.whole if ticket.stage is Stage.ASKED else ticket.stage is not Stage.READING
        return Held(
            ticket.stage, whole, ticket.bytes, *used, ticket.priority, ticket.prefix, key, ticket.wakes
        )

    def release(self, tickets: Iterable[Ticket], now: float) -> list[Ticket]:
        """Tickets move to another arbiter, or their gateway is gone; those that run now because of it."""
        for ticket in tickets:
            self._release(ticket)
        self._line.purge()  # none stays in it: elsewhere it may be WAITING again
        return self._dispatch(now)

    def _release(self, ticket: Ticket) -> None:
        if ticket.stage is Stage.ASKED:
            self._parked.pop(ticket, None)
            return
        if ticket.stage is Stage.RUNNING:
            self._leave_endpoint(ticket)
        elif ticket.stage is Stage.WAITING:
            self.waiting -= 1
        elif ticket.stage is Stage.READING:
            self.reading -= 1
        else:
            return
        ticket.stage = Stage.ENDED
        self.depth -= 1
        self.bytes_held -= ticket.bytes

    def adopt(self, ticket: Ticket, held: Held, now: float) -> None:
        """A ticket moves in as its gateway holds it. Only while frozen: whoever moves in has its place by its
        age, and a limit that is passed now was passed before."""
        warm, cold = self.clock.both(now)
        ticket.warm, ticket.cold = warm - held.warm, cold - held.cold
        ticket.arrived = now - held.warm - held.cold  # its place in the line
        ticket.bytes, ticket.priority, ticket.prefix = held.size, held.priority, held.prefix
        ticket.wakes = held.wakes
        if held.stage is Stage.ASKED:
            self._park(ticket, whole=held.whole)
            return
        self.depth += 1
        self.bytes_held += held.size
        self._arrivals += 1
        ticket.depth, ticket.sequence = self.depth, self._arrivals
        if held.stage is Stage.READING:
            self.reading += 1
            ticket.stage = Stage.READING
        elif held.stage is Stage.RUNNING and held.endpoint is not None:
            self._run(ticket, self._endpoints.of(held.endpoint), now)
        else:
            self._line_up(ticket)

    def freeze(self) -> None:
        """From now on nothing is admitted and nothing runs."""
        self.frozen = True

    def thaw(self, now: float) -> tuple[list[Ticket], list[tuple[Ticket, Verdict]]]:
        """Goes on: the tickets that run now, and what became of those that were parked."""
        self.frozen = False
        granted = self._dispatch(now)
        parked, self._parked = sorted(self._parked, key=_arrival), {}
        return granted, [(ticket, self._unpark(ticket, now)) for ticket in parked]

    def _unpark(self, ticket: Ticket, now: float) -> Verdict:
        """Asks for it as if it had just come; its budgets run since it came."""
        warm, cold = ticket.warm, ticket.cold
        verdict = super().ask(ticket, now, body_read=ticket.whole)
        ticket.warm, ticket.cold = warm, cold
        if ticket.stage is Stage.RUNNING:
            ticket.cold_wait = self.clock.cold_total - cold
        if isinstance(verdict, ApiError):
            ticket.stage = Stage.ENDED
        return verdict


def _arrival(ticket: Ticket) -> tuple[float, int]:
    """The two clocks together have run since the flow was made."""
    return ticket.warm + ticket.cold, ticket.sequence
