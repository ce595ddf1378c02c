"""The admission and the queue of one service: a state machine without clock, sockets or metrics.

A ticket is one request. It is READING (admitted, body on its way), WAITING, RUNNING on an endpoint,
or ENDED. Depth counts the first three. After every call this holds: if a ticket is WAITING, no
endpoint that takes work has a free slot.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from tidegate.domain import api_errors as errors
from tidegate.domain.api_errors import ApiError
from tidegate.domain.flow_clock import BudgetClock
from tidegate.domain.flow_rate import DrainRate, clamp, retry_after
from tidegate.domain.flow_ticket import WAIT, Endpoint, EndpointKey, Stage, Ticket, Verdict
from tidegate.domain.outcome import Outcome
from tidegate.domain.service import ServiceConfig

_READING, _WAITING, _RUNNING, _ENDED = Stage.READING, Stage.WAITING, Stage.RUNNING, Stage.ENDED


class Flow:
    """Admission (depth and bytes), order (first come first served), choice (least in flight)."""

    def __init__(self, config: ServiceConfig, now: float) -> None:
        self.config = config
        self.clock = BudgetClock(now)
        self.rate = DrainRate()
        self.depth = 0  # waiting and in flight, those whose body is still on its way included
        self.reading = self.waiting = self.in_flight = self.bytes_held = 0
        self.frozen = False  # True: nothing runs that does not run yet; see SharedFlow
        self.last_cold_start: float | None = None  # seconds that the latest one took
        self.wake_refusal: str | None = None  # why the latest wake failed
        self._endpoints: dict[EndpointKey, Endpoint] = {}
        self._leaving: dict[EndpointKey, Endpoint] = {}  # take no more work, and still have some
        self._open: tuple[Endpoint, ...] = ()  # its values, in an order that _free_endpoint may index
        self._line: list[tuple[int, Ticket]] = []  # a heap by arrival; ended tickets are skipped
        self._arrivals = 0
        self._turn = 0  # where the search for a slot starts, so that ties go round

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Those that take work."""
        return self._open

    def retry_after(self, now: float) -> int:
        """Seconds after which a refused client should try again."""
        fixed = self.config.retry_after_seconds
        return retry_after(self.depth, self.rate.per_second(now)) if fixed is None else fixed

    def ask(self, ticket: Ticket, now: float, *, body_read: bool) -> Verdict:
        """Admits the ticket and gives it an endpoint or a place in the line, or says why not."""
        config, held, depth = self.config, self.bytes_held + ticket.bytes, self.depth + 1
        if config.suspended or depth > config.max_depth or held > config.max_bytes:
            return self._refusal(ticket.bytes, now)
        self.depth = ticket.depth = depth
        self._arrivals += 1
        ticket.sequence = self._arrivals
        ticket.warm, ticket.cold = self.clock.both(now)
        self.bytes_held = held
        if body_read:
            return self._place(ticket)
        self.reading += 1
        ticket.stage = _READING
        return WAIT

    def _refusal(self, size: int, now: float) -> ApiError:
        config = self.config
        if config.suspended:
            return errors.suspended(config.key)
        if size > config.max_bytes:
            return errors.too_large(size, config.max_bytes)
        if self.depth >= config.max_depth:
            return errors.overload(config.key, self.depth + 1, config.max_depth, self.retry_after(now))
        return errors.bytes_overload(config.key, config.max_bytes, self.retry_after(now))

    def grow(self, ticket: Ticket, more: int, now: float) -> ApiError | None:
        """Counts ``more`` bytes of a body that is being read; an ApiError leaves the ticket as it was."""
        limit = self.config.max_bytes
        if ticket.bytes + more > limit:
            return errors.too_large(ticket.bytes + more, limit, Outcome.EVICTED_BODY)
        if self.bytes_held + more > limit:
            return errors.bytes_overload(self.config.key, limit, self.retry_after(now))
        ticket.bytes += more
        self.bytes_held += more
        return None

    def body_read(self, ticket: Ticket, now: float) -> Verdict:
        """A READING ticket is complete: an endpoint, or a place in the line."""
        if self.config.suspended:
            self.done(ticket, now)
            return errors.removed(self.config.key)
        self.reading -= 1
        return self._place(ticket)

    def _place(self, ticket: Ticket) -> Verdict:
        endpoint = None if self.waiting or self.frozen else self._free_endpoint()
        if endpoint is None:
            self._line_up(ticket)
            return WAIT
        self._run(ticket, endpoint)
        return endpoint

    def give_back(self, ticket: Ticket) -> list[Ticket]:
        """A RUNNING ticket's endpoint failed: it waits again, at its old place in the line.

        The tickets that run now because of it; the given one may be among them.
        """
        self._leave_endpoint(ticket)
        self._line_up(ticket)
        return self._dispatch()

    def _line_up(self, ticket: Ticket) -> None:
        self.waiting += 1
        ticket.stage = _WAITING
        heapq.heappush(self._line, (ticket.sequence, ticket))

    def _run(self, ticket: Ticket, endpoint: Endpoint) -> None:
        ticket.stage, ticket.endpoint = _RUNNING, endpoint
        ticket.cold_wait = self.clock.cold_total - ticket.cold
        endpoint.in_flight += 1
        self.in_flight += 1

    def _leave_endpoint(self, ticket: Ticket) -> None:
        endpoint, ticket.endpoint = ticket.endpoint, None
        if endpoint is not None:
            endpoint.in_flight -= 1
            self.in_flight -= 1
            if self._leaving and not endpoint.in_flight:
                self._leaving.pop(endpoint.key, None)

    def _free_endpoint(self) -> Endpoint | None:
        """The endpoint with the fewest in flight below the limit; equals take turns."""
        best, least = None, self.config.max_concurrency
        endpoints, count = self._open, len(self._open)
        if count == 1:
            return endpoints[0] if endpoints[0].in_flight < least else None
        for offset in range(count):
            candidate = endpoints[(self._turn + offset) % count]
            if candidate.in_flight < least:
                best, least = candidate, candidate.in_flight
        self._turn += 1
        return best

    def done(self, ticket: Ticket, now: float) -> list[Ticket]:
        """The request ended; the tickets that run now because of it. Repeated, it changes nothing."""
        if ticket.stage is _RUNNING:
            self._leave_endpoint(ticket)
            self.rate.ended(now)
        elif ticket.stage is _WAITING:
            self.waiting -= 1
            self._forget_ended()
        elif ticket.stage is _READING:
            self.reading -= 1
        else:
            self._drop(ticket)
            return []
        ticket.stage = _ENDED
        self.depth -= 1
        self.bytes_held -= ticket.bytes
        return self._dispatch() if self.waiting else []

    def _drop(self, ticket: Ticket) -> None:
        """A ticket ends that has no place in the queue."""

    def _dispatch(self) -> list[Ticket]:
        """Gives free slots to the longest waiting; those that got one."""
        granted: list[Ticket] = []
        while self.waiting and (endpoint := self._free_endpoint()) is not None:
            ticket = self._next_waiting()
            self.waiting -= 1
            self._run(ticket, endpoint)
            granted.append(ticket)
        return granted

    def _forget_ended(self) -> None:
        """Tickets that left the line stay in the heap until their turn; never more than half of it."""
        if len(self._line) > 2 * self.waiting + 64:
            self._line = [entry for entry in self._line if entry[1].stage is _WAITING]
            heapq.heapify(self._line)

    def _next_waiting(self) -> Ticket:
        while True:
            ticket = heapq.heappop(self._line)[1]
            if ticket.stage is _WAITING:
                return ticket

    def set_endpoints(self, keys: Iterable[EndpointKey], now: float) -> list[Ticket]:
        """Exactly these take work from now on; the tickets that run now because of it.

        Requests on an endpoint that is gone from the list are left to end by themselves; they still count
        where it comes back before that.
        """
        wanted = dict.fromkeys(keys)
        for key in [k for k in self._endpoints if k not in wanted]:
            endpoint = self._endpoints.pop(key)
            if endpoint.in_flight:
                self._leaving[key] = endpoint
        for key in wanted:
            if key not in self._endpoints:
                self._endpoints[key] = self._return(key)
        self._open = tuple(self._endpoints.values())
        self.clock.turn(bool(self._endpoints), now)
        return self._dispatch()

    def _return(self, key: EndpointKey) -> Endpoint:
        endpoint = self._leaving.pop(key, None) or Endpoint(key)
        endpoint.handle = None  # what the edge kept with it is of the time before
        return endpoint

    def configure(self, config: ServiceConfig) -> list[Ticket]:
        """A new spec; what was admitted stays admitted. The tickets that run now because of it."""
        self.config = config
        return self._dispatch()

    def expired(self, now: float) -> list[tuple[Ticket, ApiError]]:
        """Ends the tickets whose budget is used up; each with the refusal that it gets."""
        late = [ticket for ticket in self._in_line() if self._rest(ticket, now) <= 0.0]
        if not late:
            return []
        error = self._queue_timeout(now) if self.clock.ready else self._cold_start_timeout(now)
        for ticket in late:
            self.done(ticket, now)
        return [(ticket, error) for ticket in late]

    def next_expiry(self, now: float) -> float | None:
        """Seconds until a waiting ticket's budget is used up if nothing changes; None: nobody waits."""
        return min((self._rest(ticket, now) for ticket in self._in_line()), default=None)

    def _rest(self, ticket: Ticket, now: float) -> float:
        """What is left of the budget that runs at present."""
        if self.clock.ready:
            return self.config.wait_timeout_seconds - (self.clock.warm(now) - ticket.warm)
        return self.config.cold_start_timeout_seconds - (self.clock.cold(now) - ticket.cold)

    def _queue_timeout(self, now: float) -> ApiError:
        return errors.queue_timeout(self.config.key, self.config.wait_timeout_seconds, self.retry_after(now))

    def _cold_start_timeout(self, now: float) -> ApiError:
        config, usual = self.config, self.last_cold_start
        rest = 60.0 if usual is None else usual - self.clock.cold_since(now)
        after = clamp(rest) if config.retry_after_seconds is None else config.retry_after_seconds
        seconds = config.cold_start_timeout_seconds
        return errors.cold_start_timeout(config.key, seconds, after, self.wake_refusal)

    def evict_all(self, now: float) -> list[Ticket]:
        """Ends every ticket that has not been dispatched and waits in the line."""
        line = self._in_line()
        for ticket in line:
            self.done(ticket, now)
        return line

    def _in_line(self) -> list[Ticket]:
        return [ticket for _, ticket in self._line if ticket.stage is _WAITING]
